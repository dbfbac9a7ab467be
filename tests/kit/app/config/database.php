<?php

return [
    'default' => 'sqlite',
    'migrations' => 'migrations',
    'connections' => [
        'sqlite' => ['driver' => 'sqlite', 'database' => env('DB_DATABASE'), 'prefix' => ''],
    ],
    'redis' => [
        'client' => 'phpredis',
        'options' => ['prefix' => 'shop_'],
        // A host that is a path is a unix socket, which needs no port.
        'default' => ['host' => env('REDIS_HOST'), 'port' => (int) env('REDIS_PORT', 0), 'database' => 0],
    ],
];
