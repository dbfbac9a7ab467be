<?php

// Stands for what a real app builds, such as its assets. Fails when the switch says so.
require __DIR__.'/app/Switches.php';

if (App\Switches::value('build') === 'fail') {
    fwrite(STDERR, "assets: cannot resolve ./missing.js\n");
    exit(1);
}
@mkdir(__DIR__.'/public/build');
file_put_contents(__DIR__.'/public/build/app.css', "body { color: #222 }\n");
