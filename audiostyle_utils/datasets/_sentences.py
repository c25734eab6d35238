"""A grammar of everyday sentences: 362 words, and more sentences than can be learnt by heart.

`RULES` is all there is to it: a name, and what may stand for it, with ``|`` between. A name in
braces stands for one of its own alternatives. Words of one sound and two spellings that could take
each other's place are left out, and so are words of one spelling and two sounds.
"""

import re
from functools import lru_cache
from math import prod
from random import Random

RULES = {
    "sentence": "{who} {took} {number} {colour} {things} {where} {when}"
    " | {who} {took} {number} {fruits} {when}"
    " | {who} {took} the {adjective} {thing} {when}"
    " | {who} {went} to the {place} with {person} {when}"
    " | {who} {never} find the {adjective} {thing} {where}"
    " | the {colour} {thing} is {beside} the {furniture}"
    " | i {think} the {adjective} {thing} is {beside} the {furniture}"
    " | please {put} the {colour} {thing} {beside} the {furniture}"
    " | the {vehicle} to {city} leaves at {time} in the {half}"
    " | {was} {mild} and {weather} in {city} {when}"
    " | {is} {mild} and {weather} in {city} {now}"
    " | would you like {food} with {drink} for {meal}"
    " | {person} is {tens} {digit} years old and {likes} {hobby}"
    " | the {nature} {animal} {slept} {beside} the {furniture}"
    " | {person} has {number} {things} and {few} {animals}"
    " | {call} {digit} {digit} {digit} {digit} {now}"
    " | {we} going to the {place} at {time} with {few} {animals}"
    " | {ask} if the {place} has {number} {fruits}",
    "who": "{name} | {name} and my {kin} | my {kin} | the {job}",
    "person": "{name} | my {kin} | the {job}",
    "name": "anna | ben | carla | david | emma | frank | grace | henry | iris | jack | kate | leo"
    " | maria | nora | oscar | paul | quinn | rosa | simon | tina | victor | wendy | yusuf | zoe",
    "kin": "mother | father | brother | sister | uncle | cousin | grandmother | husband | friend",
    "job": "teacher | doctor | farmer | baker | painter | driver | nurse | singer | judge",
    "took": "took | bought | found | lost | sold | painted | wanted | carried | ordered | fixed",
    "went": "walked | ran | drove | went | travelled | hurried",
    "never": "can't | couldn't | didn't | won't",
    "was": "it was | it wasn't",
    "is": "it's | it isn't",
    "we": "we're | they're | we aren't | they aren't",
    "think": "think | hope | don't think | know",
    "call": "please call | don't call | he'll call",
    "ask": "please ask | my sister asks | he'll ask | they don't know",
    "likes": "likes | loves | enjoys | hates | teaches",
    "hobby": "music | chess | football | cooking | dancing | swimming | reading | painting | jazz",
    "put": "put | leave | keep | hide | push | drop",
    "slept": "slept | waited | jumped | sang | played | rested",
    "number": "{few} | {teen} | {tens} | {tens} {digit}",
    "few": "two | three | four | five | six | seven | eight | nine",
    "digit": "one | {few}",
    "teen": "ten | eleven | twelve | thirteen | fourteen | fifteen | sixteen | seventeen | eighteen"
    " | nineteen",
    "tens": "twenty | thirty | forty | fifty | sixty | seventy | eighty | ninety",
    "time": "{hour} | half past {hour} | quarter past {hour} | ten past {hour}",
    "hour": "{digit} | ten | eleven | twelve",
    "half": "morning | afternoon | evening",
    "when": "yesterday | on {day} | in {month} | every {part} | last {unit} | after {meal}",
    "now": "now | today | again | tomorrow | this {part}",
    "part": "morning | evening | night | summer | winter",
    "unit": "year | month | spring | autumn",
    "day": "monday | tuesday | wednesday | thursday | friday | saturday | sunday",
    "month": "january | february | march | april | june | july | august | september | october"
    " | november | december",
    "where": "in the {place} | near the {place} | {beside} the {furniture}",
    "place": "park | market | station | library | museum | school | kitchen | garden | forest"
    " | village | harbour | hospital | office | zoo | theatre | castle | square | factory",
    "city": "london | paris | boston | dublin | madrid | venice | tokyo | mexico | cairo | athens",
    "vehicle": "train | bus | ship | boat | taxi",
    "beside": "under | behind | beside | next to | in front of | on top of | above",
    "furniture": "table | chair | window | door | bed | mirror | fence | bridge | wall | piano"
    " | cupboard | oven",
    "colour": "green | yellow | black | white | purple | brown | orange | silver | pink | golden",
    "adjective": "small | large | lovely | broken | heavy | ugly | strange | expensive | empty",
    "nature": "quick | quiet | lazy | hungry | clever | small | young | sleepy",
    "thing": "box | jacket | bottle | guitar | camera | letter | key | basket | hammer | lamp"
    " | bicycle | ticket | picture | blanket | candle | violin",
    "things": "boxes | jackets | bottles | guitars | cameras | letters | keys | baskets | hammers"
    " | lamps | tickets | pictures | candles",
    "fruits": "apples | lemons | potatoes | cherries | carrots | eggs | mushrooms | bananas",
    "animal": "fox | dog | cat | rabbit | squirrel | donkey | monkey | duck | tiger | zebra",
    "animals": "dogs | cats | rabbits | donkeys | monkeys | ducks | children | visitors | students",
    "mild": "cold | warm | hot | dry | dark",
    "weather": "windy | cloudy | rainy | foggy | sunny | quiet",
    "food": "bread | cheese | rice | soup | pizza | jam | fish | chicken | cake",
    "drink": "coffee | milk | juice | water | lemonade | butter | honey | yoghurt",
    "meal": "breakfast | lunch | dinner | supper",
}


def sentence(rng: Random) -> str:
    """Draw a sentence: lower-case letters, apostrophes and spaces."""
    return _drawn("sentence", rng)


def vocabulary() -> set[str]:
    """Give all words."""
    return {word for rule in RULES.values() for word in re.sub(r"\{\w+\}|\|", " ", rule).split()}


def count(name: str = "sentence") -> int:
    """Count the sentences, or what may stand for another name."""
    return sum(prod(map(count, _names(choice))) for choice in _choices(name))


def _drawn(name: str, rng: Random) -> str:
    choice = rng.choice(_choices(name))
    return re.sub(r"\{(\w+)\}", lambda match: _drawn(match[1], rng), choice)


@lru_cache
def _choices(name: str) -> tuple[str, ...]:
    return tuple(RULES[name].split(" | "))


def _names(choice: str) -> list[str]:
    return re.findall(r"\{(\w+)\}", choice)
