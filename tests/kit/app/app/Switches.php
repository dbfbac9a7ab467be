<?php

namespace App;

/** The file by which a commit breaks the app on purpose. */
final class Switches
{
    public static function value(string $name): string
    {
        $all = json_decode((string) file_get_contents(dirname(__DIR__).'/switch.json'), true);

        return (string) ($all[$name] ?? 'ok');
    }
}
