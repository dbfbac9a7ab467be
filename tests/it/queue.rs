//! The reader of a queue beside the real drivers of a Laravel: what they reserve and what fails is what it tells.

use cutover_deploy::script::QUEUE_PHP;

/// Has the drivers of the app's own Laravel do something.
const DRIVER: &str = r"<?php
require getcwd() . '/vendor/autoload.php';
$app = require getcwd() . '/bootstrap/app.php';
$app->make(Illuminate\Contracts\Console\Kernel::class)->bootstrap();
switch ($argv[1]) {
    case 'table':
        Illuminate\Support\Facades\Schema::create('jobs', function ($table) {
            $table->bigIncrements('id');
            $table->string('queue');
            $table->longText('payload');
            $table->unsignedTinyInteger('attempts');
            $table->unsignedInteger('reserved_at')->nullable();
            $table->unsignedInteger('available_at');
            $table->unsignedInteger('created_at');
        });
        break;
    case 'reserve':
        $queue = app('queue')->connection();
        $queue->push('x', '', 'proof');
        exit($queue->pop('proof') ? 0 : 1);
    case 'fail':
        $job = json_encode(['uuid' => (string) Illuminate\Support\Str::uuid()]);
        app('queue.failer')->log('redis', 'proof', $job, new Exception('no'));
}
";

const CONFIG: &str = r"<?php
$after = (int) env('RETRY_AFTER', 90);
$redis = ['driver' => 'redis', 'connection' => 'default', 'queue' => 'default', 'retry_after' => $after];
$database = ['driver' => 'database', 'table' => 'jobs', 'queue' => 'default', 'retry_after' => $after];
$over = ['driver' => 'failover', 'connections' => ['redis', 'database']];
return [
    'default' => env('QUEUE_CONNECTION'),
    'connections' => ['redis' => ['connection' => env('REDIS_AS', 'default')] + $redis, 'database' => $database, 'failover' => $over],
    'failed' => ['driver' => env('FAILED_DRIVER'), 'database' => 'sqlite', 'table' => 'failed_jobs'],
];
";

/// A line of shell for the folder of a tree whose live release is the sample app; it leaves the app's own database and
/// queues alone. It prints [`TOLD`].
pub(crate) fn proof() -> String {
    format!(
        r#"tree=$PWD copy=$(mktemp -d) && cd "$copy"
for part in .env app composer.json composer.lock database resources routes storage switch.json vendor; do ln -s "$tree/current/$part" .; done
cp -r "$tree/current/bootstrap" "$tree/current/config" . && rm -f bootstrap/cache/config.php
cat >driver.php <<'END'
{DRIVER}
END
cat >reader.php <<'END'
{QUEUE_PHP}
END
cat >config/queue.php <<'END'
{CONFIG}
END
cp "$(sed -n 's/^DB_DATABASE=//p' .env)" db.sqlite
export DB_DATABASE="$copy/db.sqlite" FAILED_DRIVER=database-uuids QUEUE_CONNECTION=redis
ask() {{ echo "$1: $(php reader.php "${{3:-0}}" "$2" | tail -n 1)"; }}
php -r '(new PDO("sqlite:db.sqlite"))->exec("delete from failed_jobs");'
php driver.php table
for QUEUE_CONNECTION in redis database; do
  php driver.php reserve
  ask "$QUEUE_CONNECTION" proof
  RETRY_AFTER=-5 php driver.php reserve
  RETRY_AFTER=-5 ask "$QUEUE_CONNECTION late" proof
  ask "$QUEUE_CONNECTION, another queue" ''
done
RETRY_AFTER=-5 QUEUE_CONNECTION=failover ask failover proof
RETRY_AFTER=-5 QUEUE_CONNECTION=failover REDIS_AS=gone ask 'failed over' proof
QUEUE_CONNECTION=null ask 'no queue' proof
php driver.php fail
ask failed ''
ask 'failed before' '' "$(($(date +%s) + 60))"
FAILED_DRIVER=null ask 'kept nowhere' ''
rm -r "$copy""#
    )
}

/// What is true of the queues then.
pub(crate) const TOLD: &str = r#"redis: {"failed":0,"overdue":0}
redis late: {"failed":0,"overdue":1}
redis, another queue: {"failed":0,"overdue":0}
database: {"failed":0,"overdue":0}
database late: {"failed":0,"overdue":1}
database, another queue: {"failed":0,"overdue":0}
failover: {"failed":0,"overdue":2}
failed over: {"failed":0,"overdue":1}
no queue: {"failed":0,"overdue":null}
failed: {"failed":1,"overdue":0}
failed before: {"failed":0,"overdue":0}
kept nowhere: {"failed":0,"overdue":0}
"#;
