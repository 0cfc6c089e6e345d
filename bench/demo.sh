#!/bin/sh
# What `make demo` shows: three sentences, each explained with both bundled models.
set -eu
saliscope=${1:-saliscope}
positive="One of the funniest, warmest and most original films of the year."
negative="A dull, lifeless and boring film."
mixed="The plot is a mess, but the cast is wonderful."
for text in "$positive" "$negative" "$mixed"; do
    for model in demo-encoder demo-decoder; do
        printf '\n$ saliscope explain "%s" --model %s\n\n' "$text" "$model"
        "$saliscope" explain "$text" --model "$model" --top 3 --color always
    done
done
printf '\nThe daemon stays warm for the next call; `%s daemon stop` ends it.\n' "$saliscope"
