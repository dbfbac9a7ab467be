<?php

namespace App\Jobs;

use App\Code;
use App\Release;
use Illuminate\Bus\Queueable;
use Illuminate\Contracts\Queue\ShouldQueue;
use Illuminate\Foundation\Bus\Dispatchable;
use Illuminate\Queue\InteractsWithQueue;
use Illuminate\Support\Facades\DB;
use RuntimeException;

/** Takes some time, and leaves a row that tells which process of which release ran it, and whether to the end. */
class Work implements ShouldQueue
{
    use Dispatchable, InteractsWithQueue, Queueable;

    public function __construct(public string $tag, public float $seconds, public bool $fails)
    {
    }

    public function handle(): void
    {
        $run = DB::table('runs')->insertGetId([
            'tag' => $this->tag,
            'pid' => getmypid(),
            'release' => Release::id(),
            'code' => Code::VERSION,
            'attempt' => $this->attempts(),
            'started_at' => microtime(true),
        ]);
        $deadline = microtime(true) + $this->seconds;
        while (microtime(true) < $deadline) {
            usleep(20_000);
        }
        if ($this->fails) {
            $this->fail(new RuntimeException($this->tag.' was told to fail'));

            return;
        }
        DB::table('runs')->where('id', $run)->update(['ended_at' => microtime(true)]);
    }
}
