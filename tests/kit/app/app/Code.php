<?php

namespace App;

/** What a commit changes so that its code can be told from every other. */
final class Code
{
    public const VERSION = 'one';
}
