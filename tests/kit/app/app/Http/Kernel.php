<?php

namespace App\Http;

use Illuminate\Foundation\Http\Kernel as Base;
use Illuminate\Foundation\Http\Middleware\PreventRequestsDuringMaintenance;
use Illuminate\Routing\Middleware\SubstituteBindings;

class Kernel extends Base
{
    protected $middleware = [PreventRequestsDuringMaintenance::class];

    protected $middlewareGroups = ['web' => [SubstituteBindings::class]];
}
