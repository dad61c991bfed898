"""How often the embedded bundle finds the right picture, by pictures and by words.

    apt-get install openclipart-png
    python -m benchmarks.recall --pictures /usr/share/openclipart/png local/photographs

The pictures are clip art of Debian's package `openclipart-png`, about 8000 files in 170 folders, and the photographs
that come with the local stack. `--most` of them are taken, from one folder after another so that no theme prevails;
a file whose pixels are those of one taken before is passed over, and nothing else is: the same drawing in another
colour or size stays, and finding it instead of the right one counts as wrong. They are decoded, embedded, stored and
searched by the product's own code, with its vector index on moto in this process.

Image to image: each picture is a query five times, altered in one way each time (`variants`). Right is a query whose
own picture comes first.

Text to image: a word is asked for as it stands. A picture is relevant if its file's name has the word in it: as whole
words, whatever their case; what is no letter separates them. A word counts if at least one stored picture is relevant.
Nobody chose the words, or looked at the pictures:

- `imagenet`: the names of ImageNet's 1000 classes, which the bundle's image encoder was trained on;
- `everyday`: the names of COCO's 80 categories, without those that are among the former;
- `folders`: the names of the folders, without the former; relevant is what lies in or below such a folder.

File names know less than a person does: a picture of a lemon named `fruit` counts as wrong for `lemon`, and one named
`lemon_tree` as right. `chance` is exact: the share of words that would have a relevant picture first, expected if every
order of the pictures were as likely.

Top scores: the highest score for a word of `imagenet` when the picture is right, when it is wrong, and for the names
that no file in the folders has, each at the 10th, 50th and 90th percentile. `present_above_absent` is how likely a word
that is there scores higher than one that is not: 0.5 would say that scores tell nothing, 1 that a threshold can.

pictures   which are taken
variants   how a query differs from what is stored
words      which words are asked for, and which pictures are relevant
measuring  storing, asking, counting
"""
