"""Generator of the bundled English-French corpus: lexicon, two grammars over one meaning, sentence plans, split."""
