<?php

use Illuminate\Contracts\Http\Kernel;
use Illuminate\Http\Request;

// Baked in when this file is compiled: the release that the front controller belongs to.
const FRONT = __DIR__;

$root = dirname(__DIR__);
if (is_file($root.'/storage/framework/maintenance.php')) {
    require $root.'/storage/framework/maintenance.php';
}
require $root.'/vendor/autoload.php';

$kernel = (require $root.'/bootstrap/app.php')->make(Kernel::class);
$request = Request::capture();
$response = $kernel->handle($request);
$response->send();
$kernel->terminate($request, $response);
