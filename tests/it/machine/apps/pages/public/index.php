<?php

use App\Kernel;

require dirname(__DIR__).'/vendor/autoload.php';

$warmed = @include Kernel::home('var/cache/container.php');
$well = $warmed === Kernel::release() && is_file(Kernel::home('.env.local')) && Kernel::WORDS !== 'ill';
http_response_code($well ? 200 : 500);
header('Content-Type: application/json');
echo json_encode(['ok' => $well, 'release' => Kernel::release(), 'code' => Kernel::WORDS]), "\n";
