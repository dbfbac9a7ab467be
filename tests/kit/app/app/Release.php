<?php

namespace App;

/**
 * Which release runs. The constant is baked in when the file is compiled, so code that OPcache kept
 * from an earlier release gives itself away.
 */
final class Release
{
    private const HOME = __DIR__;

    /** The folder name of the release that this class was compiled from. */
    public static function id(): string
    {
        return basename(dirname(self::HOME));
    }

    /** A line of the file REVISION: 0 is the commit, 1 the release. */
    public static function revision(int $line): ?string
    {
        $text = @file_get_contents(base_path('REVISION'));

        return $text === false ? null : (explode("\n", trim($text))[$line] ?? null);
    }
}
