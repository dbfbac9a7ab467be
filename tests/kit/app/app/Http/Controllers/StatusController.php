<?php

namespace App\Http\Controllers;

use App\Code;
use App\Late;
use App\Release;
use App\Switches;
use Illuminate\Support\Facades\DB;
use Throwable;

class StatusController
{
    public function home()
    {
        return view('home', ['release' => Release::id(), 'code' => Code::VERSION]);
    }

    public function health()
    {
        $health = Switches::value('health');
        // The operator of the host can make every release ill, the restored one too.
        $ill = is_file(storage_path('app/ill')) || $health === '500';
        $database = $this->database();

        return response()->json([
            'ok' => $database && ! $ill && $health !== 'not-ok',
            'release' => Release::id(),
            'revision' => Release::revision(1),
            'commit' => Release::revision(0),
            'front' => defined('FRONT') ? basename(dirname(FRONT)) : null,
            'code' => Code::VERSION,
            'database' => $database,
            'pid' => getmypid(),
        ], $ill ? 500 : 200);
    }

    public function slow(string $seconds)
    {
        $before = Release::id();
        // A signal cuts a single long sleep short, so the loop runs to its deadline.
        $deadline = microtime(true) + min((float) $seconds, 60);
        while (microtime(true) < $deadline) {
            usleep(20_000);
        }

        return response()->json(['ok' => true, 'release' => $before, 'late' => Late::release()]);
    }

    private function database(): bool
    {
        try {
            return DB::table('migrations')->exists();
        } catch (Throwable) {
            return false;
        }
    }
}
