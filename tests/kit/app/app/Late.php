<?php

namespace App;

/** Loaded only at the end of a slow request, when its release may no longer be the live one, or be gone. */
final class Late
{
    private const HOME = __DIR__;

    public static function release(): string
    {
        return basename(dirname(self::HOME));
    }
}
