<?php

// Runs in the folder of a release of Laravel, and tells in JSON how many jobs have failed since a moment, and how many
// are reserved for longer than `retry_after`.

[, $since, $names] = $argv;
require getcwd() . '/vendor/autoload.php';
$app = require getcwd() . '/bootstrap/app.php';
$app->make(Illuminate\Contracts\Console\Kernel::class)->bootstrap();

$of = config('queue.failed', []);
$failer = app('queue.failer');
$failed = 0;
// In a table they are counted there: there may be very many.
if ($failer instanceof Illuminate\Queue\Failed\DatabaseFailedJobProvider || $failer instanceof Illuminate\Queue\Failed\DatabaseUuidFailedJobProvider) {
    $failed = app('db')->connection($of['database'] ?? null)->table($of['table'])
        ->where('failed_at', '>=', date('Y-m-d H:i:s', (int) $since))->count();
} else {
    foreach ($failer->all() as $job) {
        $at = ((array) $job)['failed_at'] ?? 0;
        $failed += (int) ((is_numeric($at) ? (int) $at : strtotime((string) $at)) >= (int) $since);
    }
}

$overdue = $trouble = null;
$default = config('queue.default');
// One that fails over puts jobs into the first of several that takes them: one that does not is no trouble.
foreach (config("queue.connections.$default.connections") ?? [$default] as $connection) {
    $queue = config("queue.connections.$connection") ?? [];
    $driver = $queue['driver'] ?? '';
    $on = array_filter(explode("\n", $names)) ?: [$queue['queue'] ?? 'default'];
    try {
        if ($driver === 'database') {
            $overdue += app('db')->connection($queue['connection'] ?? null)->table($queue['table'])->whereIn('queue', $on)
                ->where('reserved_at', '<', time() - (int) ($queue['retry_after'] ?? 60))->count();
        } elseif ($driver === 'redis') {
            $redis = app('redis')->connection($queue['connection'] ?? null);
            $late = 0;
            foreach ($on as $name) {
                $late += (int) $redis->zcount("queues:$name:reserved", '-inf', (string) (time() - 1));
            }
            $overdue += $late;
        }
    } catch (Throwable $thrown) {
        $trouble = $thrown;
    }
}
if ($overdue === null && $trouble !== null) {
    throw $trouble;
}
echo "\n", json_encode(['failed' => $failed, 'overdue' => $overdue]), "\n";
