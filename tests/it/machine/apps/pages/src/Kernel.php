<?php

namespace App;

/** What a framework would be: knows its release, what was warmed and what is configured. */
final class Kernel
{
    public const WORDS = 'one';

    private const HOME = __DIR__;

    public static function release(): string
    {
        return basename(dirname(self::HOME));
    }

    public static function home(string $path): string
    {
        return dirname(self::HOME).'/'.$path;
    }
}
