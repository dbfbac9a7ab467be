<?php

// Runs in the folder of a release of Laravel, and tells in JSON how many jobs have failed since a moment, and how many
// are reserved for longer than `retry_after`.

[, $since, $names] = $argv;
require getcwd() . '/vendor/autoload.php';
$app = require getcwd() . '/bootstrap/app.php';
$app->make(Illuminate\Contracts\Console\Kernel::class)->bootstrap();

$of = config('queue.failed', []);
if (in_array($of['driver'] ?? 'database', ['database', 'database-uuids'], true)) {
    $failed = app('db')->connection($of['database'] ?? null)->table($of['table'] ?? 'failed_jobs')
        ->where('failed_at', '>=', date('Y-m-d H:i:s', (int) $since))->count();
} else {
    $failed = 0;
    foreach (app('queue.failer')->all() as $job) {
        $at = ((array) $job)['failed_at'] ?? 0;
        $failed += (int) ((is_numeric($at) ? (int) $at : strtotime((string) $at)) >= (int) $since);
    }
}

$queue = config('queue.connections.' . config('queue.default'), []);
$names = array_filter(explode("\n", $names)) ?: [$queue['queue'] ?? 'default'];
$overdue = null;
switch ($queue['driver'] ?? '') {
    case 'database':
        $overdue = app('db')->connection($queue['connection'] ?? null)->table($queue['table'])->whereIn('queue', $names)
            ->where('reserved_at', '<', time() - (int) ($queue['retry_after'] ?? 60))->count();
        break;
    case 'redis':
        $redis = app('redis')->connection($queue['connection'] ?? null);
        $overdue = 0;
        foreach ($names as $name) {
            $overdue += (int) $redis->zcount("queues:$name:reserved", '-inf', (string) (time() - 1));
        }
}
echo "\n", json_encode(['failed' => $failed, 'overdue' => $overdue]), "\n";
