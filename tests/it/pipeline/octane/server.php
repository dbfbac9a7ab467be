<?php
// The server of the stand-in: it listens, and its workers answer with the release that they have in memory.
posix_setpgid(0, 0);
$base = getenv('APP_BASE_PATH');
$socket = stream_socket_server("tcp://127.0.0.1:$argv[1]", $code, $why, STREAM_SERVER_BIND | STREAM_SERVER_LISTEN);
stream_set_blocking($socket, false);
$workers = [];
$ends = false;
function work($socket, string $base): never
{
    $release = preg_replace('#.*/releases/([^/]+).*#', '$1', $base);
    $ends = false;
    pcntl_async_signals(true);
    pcntl_signal(SIGTERM, function () use (&$ends) { $ends = true; });
    while (! $ends) {
        $connection = @stream_socket_accept($socket, 0.1);
        if (! $connection) continue;
        $asked = fgets($connection);
        $until = microtime(true) + (str_contains($asked, '/slow') ? 2 : 0);
        while (microtime(true) < $until) usleep(10000);
        fwrite($connection, "HTTP/1.0 200 OK\r\nConnection: close\r\nContent-Length: ".strlen($release)."\r\n\r\n$release");
        fclose($connection);
    }
    exit(0);
}
$start = function () use (&$workers, $socket, $base) {
    while (count($workers) < 2) {
        $pid = pcntl_fork();
        if ($pid === 0) {
            pcntl_signal(SIGUSR1, SIG_DFL);
            work($socket, $base);
        }
        $workers[$pid] = true;
    }
};
$end = function () use (&$workers) {
    foreach (array_keys($workers) as $pid) posix_kill($pid, SIGTERM);
};
pcntl_async_signals(true);
pcntl_signal(SIGUSR1, $end);
pcntl_signal(SIGTERM, function () use (&$ends, $end) {
    $ends = true;
    $end();
});
// Swoole waits here for Octane's timer, which never ends; so somebody has to kill it.
while (true) {
    if (! $ends) $start();
    while (($pid = pcntl_waitpid(-1, $status, WNOHANG)) > 0) unset($workers[$pid]);
    usleep(20000);
}
