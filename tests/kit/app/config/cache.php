<?php

return [
    'default' => env('CACHE_DRIVER', 'redis'),
    'prefix' => 'shop_cache',
    'stores' => [
        'array' => ['driver' => 'array'],
        'redis' => ['driver' => 'redis', 'connection' => 'default'],
    ],
];
