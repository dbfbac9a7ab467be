<?php

namespace App\Console\Commands;

use App\Jobs\Work;
use App\Release;
use Illuminate\Console\Command;
use Illuminate\Support\Facades\DB;

class PushJobs extends Command
{
    protected $signature = 'test:push {count=1} {--seconds=0} {--tag=job} {--fail}';

    protected $description = 'Put jobs on the queue and note each of them';

    public function handle(): int
    {
        foreach (range(1, (int) $this->argument('count')) as $number) {
            $tag = $this->option('tag').'-'.$number;
            DB::table('pushed')->insert(['tag' => $tag, 'release' => Release::id(), 'at' => microtime(true)]);
            Work::dispatch($tag, (float) $this->option('seconds'), (bool) $this->option('fail'));
        }

        return 0;
    }
}
