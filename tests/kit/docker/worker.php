<?php

// A worker that hears TERM as `queue:work` does: between two jobs. A job is a file in `waiting`, which is in `running` while
// it is worked on, until there is a file of its name in `let`; then it is in `done`, and says which release did it.

$queue = getenv('QUEUE') ?: __DIR__.'/storage/queue';
$release = getenv('CUTOVER_RELEASE') ?: basename(__DIR__);

pcntl_async_signals(true);
$over = false;
pcntl_signal(SIGTERM, function () use (&$over) {
    $over = true;
});
// As `queue:work` does to go on after a pause.
pcntl_signal(SIGCONT, function () {});

// The file that runs is held open, as artisan is.
$self = fopen(__FILE__, 'r');
while (! $over) {
    clearstatcache();
    foreach (glob("$queue/waiting/*") as $waiting) {
        $job = basename($waiting);
        // Whoever moves it has it.
        if (! @rename($waiting, "$queue/running/$job")) {
            continue;
        }
        file_put_contents("$queue/running/$job", $release);
        while (! is_file("$queue/let/$job")) {
            usleep(20000);
            clearstatcache();
        }
        rename("$queue/running/$job", "$queue/done/$job");
        break;
    }
    usleep(20000);
}
