<?php

// Runs in the live pool, asked over FastCGI, and answers in JSON. It is on the host as long as the lease is held.
// CUTOVER_ASK is one of these words; CUTOVER_PATHS holds folders, a line each.
//   status  what the pool is
//   reset   OPcache forgets everything, once no request runs that began before
//   renew   the same, and all processes end after their request, as at a graceful reload; the master starts others, that know
//           no old path
//   forget  OPcache forgets what lies below these folders
//   doctor  the status, and more beside it, as whether CUTOVER_POOL can be reached; the folders are those that the app writes to
// With CUTOVER_RELEASE `reset` and `renew` wait until the link CUTOVER_CURRENT leads to it, so that no trip of the line lies between
// the swap and them. Once CUTOVER_NEXT is there, which becomes that link, they have a lock on this file, and whoever swaps waits for
// that. Before, `renew` keeps all processes busy that have nothing to do, for a second at most: one of them might take a request
// between the swap and its end. They are reached at CUTOVER_POOL. 425 says that the swap did not come.

header('Content-Type: application/json');
$ask = $_SERVER['CUTOVER_ASK'] ?? '';
$opcache = function_exists('opcache_get_status') ? @opcache_get_status($ask === 'forget') : false;
// It is off as well while a reset waits for requests that began before.
$on = is_array($opcache) && (!empty($opcache['opcache_enabled']) || !empty($opcache['restart_pending']));
$renews = function_exists('posix_kill') && function_exists('fpm_get_status');
$link = $_SERVER['CUTOVER_CURRENT'] ?? '';
$sees = true;
foreach (['readlink', 'flock', 'usleep'] as $needed) {
    $sees = $sees && function_exists($needed);
}
// Who cannot see where it leads would wait for nothing.
$sees = $sees && @readlink($link) !== false;

$lines = [];
/** Keeps processes busy that have nothing to do, until their lines are closed. Whether none is left, or none can be reached. */
$keeps = static function (string $pool) use (&$lines): bool {
    $states = array_count_values(array_column(fpm_get_status()['procs'] ?? [], 'state'));
    $idle = $states['Idle'] ?? 0;
    for ($coming = count($lines) - ($states['Reading headers'] ?? 0); $coming < $idle; $coming++) {
        $line = @stream_socket_client($pool, $error, $why, 0.1);
        // The first byte of a question that never goes on.
        if (!$line || !@fwrite($line, "\1")) {
            return true;
        }
        $lines[] = $line;
    }
    return $idle === 0;
};
/** Whether the link leads to the release, after some seconds at most. */
$swapped = static function (string $release) use ($ask, $link, $sees, &$lines, $keeps, $renews): bool {
    $next = $_SERVER['CUTOVER_NEXT'] ?? '';
    $can = $renews && function_exists('stream_socket_client') && function_exists('lstat');
    $pool = $ask === 'renew' && $can ? $_SERVER['CUTOVER_POOL'] ?? '' : '';
    $lock = $sees ? @fopen(__FILE__, 'r') : false;
    $seen = null;
    for ($until = microtime(true) + 5; $lock && ($now = microtime(true)) < $until; usleep(500)) {
        if (basename((string) @readlink($link)) === $release) {
            return true;
        }
        if (@readlink($next) === false) {
            continue;
        }
        // A swap that hangs does not make the pool hang, whoever asks again.
        $seen = $seen ?? (time() - (@lstat($next)['ctime'] ?? 0) <= 1 ? $now : 0);
        if ($now - $seen > 1) {
            $lines = [];
        }
        if ($pool === '' || $now - $seen > 1 || $keeps($pool) || $now - $seen > 0.2) {
            // Whoever has it for himself does not keep this process waiting.
            flock($lock, LOCK_SH | LOCK_NB);
        }
    }
    return false;
};
if ($ask === 'reset' || $ask === 'renew') {
    $release = $_SERVER['CUTOVER_RELEASE'] ?? '';
    if ($release !== '' && !$swapped($release)) {
        http_response_code(425);
        return;
    }
    // First of all, for from now on OPcache serves nobody what it had by the path through the link. One that waits already is as good.
    $told = ['reset' => $on ? opcache_reset() || !empty(opcache_get_status(false)['restart_pending']) : !ini_get('opcache.enable')];
    if ($ask === 'renew') {
        $processes = $renews ? array_column(fpm_get_status()['procs'] ?? [], 'pid') : [];
        // One that is only just beginning has no number yet, and no old path either.
        $processes = array_filter($processes, static fn ($pid) => $pid > 1);
        // 3 is SIGQUIT, and the error 3 that nobody has this number any more: their names come with an extension.
        $ended = array_filter($processes, static fn ($pid) => posix_kill($pid, 3) || posix_get_last_error() === 3);
        $told += ['renewed' => count($ended), 'of' => count($processes)];
        $lines = [];
    }
    echo json_encode($told);
    return;
}
$folders = array_filter(explode("\n", $_SERVER['CUTOVER_PATHS'] ?? ''));
if ($ask === 'forget') {
    // OPcache knows scripts by their real paths.
    $folders = array_map(static fn ($folder) => (realpath($folder) ?: $folder).'/', $folders);
    $forgotten = 0;
    foreach ($on ? array_keys($opcache['scripts'] ?? []) : [] as $file) {
        foreach ($folders as $folder) {
            $below = strncmp($file, $folder, strlen($folder)) === 0;
            $forgotten += (int) ($below && opcache_invalidate($file, true));
        }
    }
    echo json_encode(['forgotten' => $forgotten]);
    return;
}

// What the web server passed for other requests tells how it resolves the path of a release.
$scripts = [];
foreach (function_exists('fpm_get_status') ? (fpm_get_status()['procs'] ?? []) : [] as $process) {
    if (strpos((string) ($process['query-string'] ?? ''), 'cutover-warm') === false) {
        $scripts[] = (string) ($process['script'] ?? '');
    }
}
$more = [];
if ($ask === 'doctor') {
    // Nobody asks this file again.
    $on && opcache_invalidate(__FILE__, true);
    $user = function_exists('posix_geteuid') ? posix_geteuid() : null;
    preg_match('/^PPid:\s*(\d+)/m', (string) @file_get_contents('/proc/self/status'), $master);
    $more = [
        'extensions' => array_map('strtolower', array_merge(get_loaded_extensions(), get_loaded_extensions(true))),
        'user' => $user === null ? null : (posix_getpwuid($user)['name'] ?? (string) $user),
        'reaches' => function_exists('stream_socket_client') && @stream_socket_client($_SERVER['CUTOVER_POOL'] ?? '', $error, $why, 1) !== false,
        'master' => isset($master[1]) ? (int) $master[1] : null,
        'unwritable' => array_values(array_filter($folders, static fn ($folder) => is_dir($folder) && !is_writable($folder))),
    ];
}
echo json_encode($more + [
    'php' => PHP_VERSION,
    'scripts' => array_values(array_unique($scripts)),
    'realpath_cache_seconds' => (int) ini_get('realpath_cache_ttl'),
    'restricted_to' => (string) ini_get('opcache.restrict_api'),
    'renews' => $renews,
    'waits' => $sees,
    'enabled' => (bool) ini_get('opcache.enable'),
    'opcache' => $on ? [
        'full' => (bool) $opcache['cache_full'],
        'used_bytes' => $opcache['memory_usage']['used_memory'],
        'free_bytes' => $opcache['memory_usage']['free_memory'],
        'wasted_bytes' => $opcache['memory_usage']['wasted_memory'],
        'keys' => $opcache['opcache_statistics']['num_cached_keys'],
        'most_keys' => $opcache['opcache_statistics']['max_cached_keys'],
    ] : null,
]);
