<?php

use Illuminate\Database\Migrations\Migration;
use Illuminate\Database\Schema\Blueprint;
use Illuminate\Support\Facades\Schema;

return new class extends Migration
{
    public function up(): void
    {
        Schema::create('pushed', function (Blueprint $table) {
            $table->id();
            $table->string('tag')->unique();
            $table->string('release');
            $table->double('at');
        });
        Schema::create('runs', function (Blueprint $table) {
            $table->id();
            $table->string('tag')->index();
            $table->integer('pid');
            $table->string('release');
            $table->string('code');
            $table->integer('attempt');
            $table->double('started_at');
            $table->double('ended_at')->nullable();
        });
        Schema::create('failed_jobs', function (Blueprint $table) {
            $table->id();
            $table->string('uuid')->unique();
            $table->text('connection');
            $table->text('queue');
            $table->longText('payload');
            $table->longText('exception');
            $table->timestamp('failed_at')->useCurrent();
        });
    }

    public function down(): void
    {
        Schema::dropIfExists('failed_jobs');
        Schema::dropIfExists('runs');
        Schema::dropIfExists('pushed');
    }
};
