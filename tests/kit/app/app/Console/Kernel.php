<?php

namespace App\Console;

use Illuminate\Foundation\Console\Kernel as Base;

class Kernel extends Base
{
    protected function commands()
    {
        $this->load(__DIR__.'/Commands');
    }
}
