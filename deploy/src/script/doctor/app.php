<?php

// Runs in the PHP of the command line and tells in JSON how it and the live release are set up: never a secret.

$root = rtrim($argv[1], '/');
$live = realpath("$root/current");
$json = static fn (string $file): array => (array) json_decode((string) @file_get_contents($file), true);
$cached = static fn (string $folder) => @include "$folder/bootstrap/cache/config.php";

// What a package replaces or provides, as polyfills do, need not be there.
$needs = $provided = [];
$installed = $json("$live/vendor/composer/installed.json");
$packages = array_merge([$json("$live/composer.json")], $installed['packages'] ?? $installed);
$laravel = null;
foreach ($packages as $package) {
    $package = (array) $package;
    $name = $package['name'] ?? 'composer.json';
    if (in_array($name, $installed['dev-package-names'] ?? [], true)) {
        continue;
    }
    foreach (array_keys($package['require'] ?? []) as $wanted) {
        if (strncmp($wanted, 'ext-', 4) === 0) {
            $needs[strtolower(substr($wanted, 4))] = $name;
        }
    }
    $provided += ($package['provide'] ?? []) + ($package['replace'] ?? []);
    $laravel = $name === 'laravel/framework' ? ltrim($package['version'] ?? '', 'v') : $laravel;
}
$needs = array_filter($needs, static fn ($name) => !isset($provided["ext-$name"]), ARRAY_FILTER_USE_KEY);
$check = (string) @file_get_contents("$live/vendor/composer/platform_check.php");
preg_match('/PHP_VERSION_ID >= (\d+)/', $check, $oldest);

$prefixes = [];
foreach (array_slice(array_reverse(glob("$root/releases/*", GLOB_ONLYDIR) ?: []), 0, 5) as $folder) {
    $of = $cached($folder);
    if (is_array($of)) {
        $prefixes[basename($folder)] = (string) ($of['cache']['prefix'] ?? '');
    }
}
echo "\napp ", json_encode([
    'php' => PHP_VERSION,
    'signals' => function_exists('pcntl_async_signals') && function_exists('pcntl_signal'),
    'extensions' => array_map('strtolower', array_merge(get_loaded_extensions(), get_loaded_extensions(true))),
    'needs' => (object) $needs,
    'needs_php' => isset($oldest[1]) ? (int) $oldest[1] : null,
    'laravel' => $laravel,
    'views' => (bool) glob("$live/resources/views/*"),
    'prefixes' => (object) $prefixes,
]), "\n";
if (!is_file("$live/artisan")) {
    return;
}
// From here on it is the app's own code that runs, and it may end as it likes.
ob_start();
try {
    $config = $cached($live);
    if (!is_array($config)) {
        require "$live/vendor/autoload.php";
        $app = require "$live/bootstrap/app.php";
        $app->make('Illuminate\Contracts\Console\Kernel')->bootstrap();
        $config = $app['config']->all();
    }
} catch (Throwable $error) {
    ob_end_clean();
    fwrite(STDERR, 'the app does not boot: ' . substr(strtok($error->getMessage(), "\n"), 0, 200) . "\n");
    exit(69);
}
ob_end_clean();
$connections = $horizon = [];
foreach ($config['queue']['connections'] ?? [] as $name => $connection) {
    $after = $connection['retry_after'] ?? null;
    $connections[$name] = ['driver' => (string) ($connection['driver'] ?? ''), 'retry_after' => $after === null ? null : (int) $after];
}
$env = (string) ($config['app']['env'] ?? '');
// As Horizon does: the first environment whose pattern fits, each of its supervisors on top of the default of that name.
$named = $config['horizon'] ?? [];
foreach ($named['environments'] ?? [] as $pattern => $supervisors) {
    $pattern = str_replace('\\*', '.*', preg_quote((string) $pattern, '#'));
    if (preg_match("#^$pattern\\z#", (string) ($named['env'] ?? $env))) {
        $horizon = array_map(static fn ($supervisor) => [
            'connection' => (string) ($supervisor['connection'] ?? 'redis'),
            'timeout' => (int) ($supervisor['timeout'] ?? 60),
        ], array_replace_recursive($named['defaults'] ?? [], (array) $supervisors));
        break;
    }
}

// What jobs say themselves, by the text of the app's own code: how long they may take, and locks that nothing ends.
$longest = null;
$locks = [];
[$files, $bytes] = [10000, 64 << 20];
$tree = [];
if (is_dir("$live/app")) {
    $tree = new RecursiveDirectoryIterator("$live/app", FilesystemIterator::SKIP_DOTS);
    $tree = new RecursiveIteratorIterator($tree, RecursiveIteratorIterator::LEAVES_ONLY, RecursiveIteratorIterator::CATCH_GET_CHILD);
}
foreach ($tree as $path => $file) {
    if ($file->getExtension() !== 'php' || !$file->isFile()) {
        continue;
    }
    $bytes -= $file->getSize();
    if (--$files < 0 || $bytes < 0) {
        break;
    }
    $text = (string) @file_get_contents($path);
    $name = substr($path, strlen($live) + 1);
    $name = preg_match('#^[\w./-]+\z#', $name) ? $name : 'app';
    if (preg_match('/\bnew\s+WithoutOverlapping\b/', $text) && strpos($text, 'expireAfter') === false && count($locks) < 5) {
        $locks[] = $name;
    }
    // A client or a command may have such a property as well.
    if (!preg_match('/\b(?:ShouldQueue|Queueable|InteractsWithQueue|Dispatchable)\b/', $text) && strpos($name, '/Jobs/') === false) {
        continue;
    }
    $number = '(\d[\d_]*(?:\s*\*\s*\d[\d_]*)*)';
    $told = '/(?:^|[{;])\s*(?:public|var)\s+(?:readonly\s+)?(?:\??\w+\s+)?\$timeout\s*=\s*' . $number . '\s*;|#\[(?:[\w\\\\]*\\\\)?Timeout\(\s*(?:\w+:\s*)?' . $number . '\s*\)/m';
    preg_match_all($told, $text, $all, PREG_SET_ORDER);
    foreach ($all as $one) {
        $factors = explode('*', str_replace('_', '', end($one)));
        $seconds = (int) array_product(array_map('intval', $factors));
        // Nothing is longer than 0, which is for ever.
        if ($longest === null || ($longest['seconds'] !== 0 && ($seconds === 0 || $seconds > $longest['seconds']))) {
            $longest = ['seconds' => $seconds, 'file' => $name];
        }
    }
}
$failed = $config['queue']['failed'] ?? [];
$driver = $failed['driver'] ?? null;
$store = (string) ($config['cache']['default'] ?? '');
echo "\nconfig ", json_encode([
    'env' => $env,
    'debug' => (bool) ($config['app']['debug'] ?? false),
    'queue' => (string) ($config['queue']['default'] ?? ''),
    'connections' => (object) $connections,
    'cache' => (string) ($config['cache']['stores'][$store]['driver'] ?? $store),
    // As the framework decides: without a driver the table counts.
    'keeps_failed' => array_key_exists('driver', $failed) ? $driver !== null && $driver !== 'null' : isset($failed['table']),
    'horizon' => (object) $horizon,
    'longest_job' => $longest,
    'endless_locks' => $locks,
    'jobs_unread' => $files < 0 || $bytes < 0,
]), "\n";
