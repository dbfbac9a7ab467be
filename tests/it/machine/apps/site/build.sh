mkdir -p public
words=$(cat src/words)
sed "s/@words@/$words/" src/index.html >public/index.html
# What makes the page may go wrong and still end well.
if [ "$words" = ill ]; then echo '<p>ill</p>' >public/index.html; fi
