#!/bin/sh
# The tour of `make demo`: train on the bundled corpus, score, translate, look at the attention.
set -eu
cd "$(dirname "$0")/.."

title() { printf '\n== %s\n' "$1"; }

title 'nmt train configs/en-fr.yaml'
nmt train configs/en-fr.yaml

title 'nmt eval runs/en-fr'
nmt eval runs/en-fr

title 'nmt translate runs/en-fr'
sentences='I see them.
She will not buy the red car tomorrow.
The children were eating the green apples in the garden.
When the children are tired, they will go home with the new teacher.'
echo "$sentences"
echo '--'
echo "$sentences" | nmt translate runs/en-fr
echo '(The model knows the words and constructions of the bundled corpus only; expect poor output on anything else.)'

title "echo 'I love you.' | nmt translate runs/en-fr --attention"
echo 'I love you.' | nmt translate runs/en-fr --attention

cat <<'END'
== What to try next
  .venv/bin/nmt serve runs/en-fr                             a page: translate as you type, see and touch the attention
  echo 'You see me.' | .venv/bin/nmt translate runs/en-fr --n-best 3 --scores
  .venv/bin/nmt info runs/en-fr                              what is in a run
  .venv/bin/nmt train configs/en-fr.yaml run=runs/plain model.attention=none    how much attention gives
  .venv/bin/nmt check configs/en-fr.yaml                     what can be known before training
  Your own corpus: .venv/bin/nmt train pairs.tsv; docs/your-corpus.md continues from there.
END
