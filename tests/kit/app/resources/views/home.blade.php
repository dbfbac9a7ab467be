<!doctype html>
<title>Acme shop</title>
<h1>Acme shop</h1>
<p>code {{ $code }} of release {{ $release }}</p>
