<?php

return [
    'default' => env('DB_CONNECTION', 'sqlite'),
    'migrations' => 'migrations',
    'connections' => [
        'sqlite' => ['driver' => 'sqlite', 'database' => env('DB_DATABASE'), 'prefix' => ''],
        'pgsql' => [
            'driver' => 'pgsql', 'host' => env('DB_HOST'), 'database' => env('DB_DATABASE'),
            'username' => env('DB_USERNAME'), 'password' => '', 'prefix' => '',
        ],
    ],
    'redis' => [
        'client' => 'phpredis',
        'options' => ['prefix' => 'shop_'],
        // A host that is a path is a unix socket, which needs no port.
        'default' => ['host' => env('REDIS_HOST'), 'port' => (int) env('REDIS_PORT', 0), 'database' => 0],
    ],
];
