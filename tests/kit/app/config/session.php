<?php

return ['driver' => 'array', 'lifetime' => 120, 'cookie' => 'shop_session', 'path' => '/', 'domain' => null];
