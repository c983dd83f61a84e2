"""Compose the 5,000 English sentences on which our front-end is compared with misaki's.

    python scripts/make_sentences.py tests/data/sentences.en.txt

A small grammar of ours: frames of news, talk, stories, instructions, science, business, letters, sport, travel,
computing, questions, numbers and names, filled from word lists, and a list of homograph sentences that is taken whole.
Seeded: the same file each time.
"""

from __future__ import annotations

import random
import re
import sys
from pathlib import Path

COUNT = 5000

WORDS = """
first: Alice Benjamin Charlotte Daniel Eleanor Frederick Grace Hannah Isaac Julia Katherine Leonard Margaret
  Nathan Olivia Patrick Quentin Rebecca Samuel Theresa Ursula Victor Wendy Xavier Yvonne Zachary Amelia
  Bruno Clara Dominic Edith Felix Gloria Harold Irene Jasper Kenneth Laura Miriam Noah Oscar Penelope
  Raymond Sylvia Thomas Vivian Walter Maria Carlos Ahmed Fatima Chen Priya Ivan Olga Kenji Ingrid Pierre
  Sofia Mohammed Anya Diego Lucia Hiroshi
last: Anderson Baxter Caldwell Davenport Ellsworth Fitzgerald Goldstein Harrington Ingram Jefferson Kowalski
  Lancaster Montgomery Newman O'Connor Peterson Quincy Robertson Sullivan Thompson Underwood Vasquez
  Whitaker Young Zimmerman Fernandez Gupta Hernandez Johansson Kim Lopez Martinez Nguyen Patel Rossi Schmidt
  Tanaka Williams McCarthy Bennett
city: London Paris Chicago Boston Denver Seattle Toronto Sydney Berlin Madrid Rome Vienna Prague Warsaw
  Lisbon Dublin Edinburgh Manchester Liverpool Houston Philadelphia Phoenix Atlanta Tokyo Beijing Mumbai
  Cairo Nairobi Moscow Athens Budapest Copenhagen Stockholm Helsinki Oslo Brussels Amsterdam Geneva Milan
  Barcelona Havana Lima Bogota Istanbul Baltimore Cleveland Pittsburgh Milwaukee Minneapolis Cincinnati
  Sacramento Albuquerque
country: France Germany Spain Italy Canada Mexico Brazil Argentina Chile Peru Egypt Kenya Nigeria India
  China Japan Korea Vietnam Thailand Australia Norway Sweden Finland Poland Hungary Greece Turkey Ireland
  Scotland Portugal Ukraine
nation: French German Spanish Italian Canadian Mexican Brazilian Egyptian Indian Chinese Japanese Korean
  Norwegian Swedish Polish Greek Turkish Irish Scottish Portuguese American British Dutch Danish Swiss
  Russian
month: January February March April May June July August September October November December
day: Monday Tuesday Wednesday Thursday Friday Saturday Sunday
job: teacher doctor nurse lawyer engineer farmer baker carpenter plumber journalist scientist librarian
  pilot captain mechanic electrician architect accountant musician painter sculptor photographer gardener
  butcher tailor detective soldier sailor judge mayor senator professor student chemist biologist historian
  economist psychologist translator secretary waiter chef driver cyclist athlete coach referee goalkeeper
  dancer actress comedian magician philosopher
animal: dog cat horse cow sheep goat rabbit squirrel fox wolf bear deer eagle owl sparrow crow swan goose
  duck turtle lizard snake frog salmon whale dolphin shark octopus spider beetle butterfly elephant giraffe
  leopard monkey donkey
thing: book lamp table chair window door key clock mirror blanket kettle bottle basket hammer ladder bicycle
  suitcase umbrella guitar piano violin camera telescope microscope notebook envelope newspaper magazine
  dictionary photograph painting statue candle lantern rope bucket shovel engine wheel battery antenna radio
  television computer keyboard telephone bracelet necklace jacket sweater trousers scarf hat glove shoe boot
  wallet purse pillow mattress cupboard
place: library hospital school museum theater restaurant bakery pharmacy station airport harbor lighthouse
  castle cathedral village market garden forest mountain valley river lake beach island desert meadow bridge
  tunnel factory warehouse laboratory office kitchen basement attic balcony courtyard stadium gymnasium
  cinema gallery embassy court
idea: freedom justice patience courage wisdom honesty ambition curiosity jealousy gratitude knowledge memory
  silence language history science politics religion education democracy economy inflation poverty
  technology friendship loneliness happiness imagination discipline responsibility uncertainty creativity
  tradition prejudice evolution
adj: old new small large beautiful strange quiet noisy heavy light bright dark warm cold ancient modern
  expensive cheap dangerous gentle enormous tiny curious careful clumsy delicate familiar foreign fragile
  generous honest humble innocent lazy lively lonely magnificent mysterious narrow nervous ordinary peculiar
  polite precious proud rough rusty serious sharp silent simple smooth splendid stubborn sudden terrible
  tired ugly unusual vague wealthy wicked wooden wounded enthusiastic sophisticated controversial
  preliminary sustainable
adv: slowly quickly quietly loudly carefully suddenly eventually happily sadly angrily gently patiently
  nervously politely rarely often usually probably certainly apparently immediately deliberately
  accidentally reluctantly enthusiastically thoroughly barely nearly recently finally mysteriously
  simultaneously
did: found lost bought sold carried dropped painted repaired broke cleaned hid stole borrowed returned
  admired ignored described photographed examined measured opened closed lifted pushed pulled threw caught
  washed polished wrapped destroyed designed built invented discovered noticed remembered forgot wanted
  needed liked hated recommended replaced
do: find lose buy sell carry drop paint repair break clean hide steal borrow return admire ignore describe
  examine measure open close lift push pull throw catch wash polish wrap destroy design build invent
  discover notice remember forget recommend replace adjust assemble attach calculate compare connect convert
  copy delete detect download install
doing: finding losing buying selling carrying dropping painting repairing breaking cleaning hiding stealing
  borrowing returning admiring ignoring describing examining measuring opening closing lifting pushing
  pulling throwing catching
went: walked ran hurried drove sailed flew climbed wandered traveled marched jumped crawled limped strolled
  returned
said: said whispered shouted replied asked answered muttered explained insisted admitted announced
  complained agreed
food: bread cheese soup chicken rice potatoes tomatoes onions mushrooms spinach broccoli salmon shrimp pasta
  pizza sandwiches pancakes honey butter yogurt chocolate biscuits strawberries raspberries oranges bananas
  apples grapes coffee tea lemonade cinnamon pepper garlic vinegar
tech: server database network compiler algorithm interface protocol browser processor router firewall kernel
  module library function variable array pointer thread scheduler cache buffer parser tokenizer encoder
  decoder classifier gradient tensor matrix vector dataset benchmark container pipeline repository branch
  commit API URL HTML JSON GPU CPU
disease: influenza pneumonia diabetes asthma arthritis malaria tuberculosis measles bronchitis hepatitis
  migraine
science: physics chemistry biology geology astronomy mathematics linguistics archaeology psychology
  meteorology
element: hydrogen oxygen carbon nitrogen sodium calcium copper silver gold mercury uranium helium aluminum
  iron zinc
weather: rain snow fog wind thunder lightning hail frost sunshine drizzle
company: Northwind Brightwater Silverline Ironbridge Oakfield Riverside Summit Horizon Pinnacle Atlas
  Meridian Falcon
sport: football tennis baseball basketball hockey cricket golf swimming volleyball badminton wrestling
  gymnastics
color: red blue green yellow purple orange brown black white gray pink crimson turquoise
family: mother father sister brother uncle aunt cousin grandmother grandfather nephew niece daughter son
  husband wife
relation: before after because although while when since until unless
small: two three four five six seven eight nine ten eleven twelve fifteen twenty thirty fifty a hundred
big: 12 45 99 107 250 318 640 999 1,200 4,750 12,345 98,600 250,000 1,000,000 3,141,592
year: 1066 1492 1605 1776 1801 1848 1905 1918 1945 1969 1984 1990 1999 2000 2004 2010 2016 2023 2025
money: $5 $1.50 $12.99 $250 $1,200 £3.20 £40 €15 €99.95 $3.5 million $2 billion $0.99 $1
percent: 5% 12% 33% 50% 67.5% 99.9% 100%
ordinal: 1st 2nd 3rd 4th 5th 10th 11th 12th 20th 21st 22nd 30th 100th
decimal: 0.5 1.25 2.75 3.14 9.81 37.2 100.1
brand: NASA FBI BBC CNN UN EU USA UK IBM NATO UNESCO HIV DNA CEO PhD TV PC DVD
"""

FRAMES = """
{first} {did} the {adj} {thing} in the {place}.
The {job} {did} a {adj} {thing} and {went} {adv} to the {place}.
{The} {adj} {animal} {went} across the {place} {relation} the {weather} had stopped.
"I don't know where the {thing} is," {first} {said} {adv}.
"Where's my {thing}?" {said} the {job}. "It was here on {day}!"
Have you ever seen such a {adj} {animal} in {city}?
Why didn't the {job} {do} the {thing} before {day}?
Could you please {do} the {thing} and then {do} the {thing2}?
{first} {last}, a {nation} {job}, won the {ordinal} prize on {day}.
On {month} {daynum}, {year}, the {company} Corporation announced a profit of {money}.
In {year}, about {big} people lived in {city}.
Sales of {food} rose by {percent} in {month}, according to the {nation} government.
The price of {food} fell from {money} to {money2} last {day}.
She'd never {been} to {country}, but she'd read about {city} in a {adj} {thing}.
We're {doing} the {thing} because it isn't {adj} enough for the {place}.
{first}'s {family} is a {job} at the {place} in {city}.
My {family}'s {thing} was {adj}, {adj2}, and {adj3}.
The {job}s' {thing}s were kept in the {place}.
If {idea} were {adj}, nobody would need {idea2}.
{Idea} and {idea2} are the {adj} children of {idea3}.
The {tech} calls the {tech2} whenever the {tech3} is {adj}.
To {do} the {tech}, first {do} the {tech2} and then restart the {tech3}.
An error in the {tech} caused the {tech2} to fail {adv}.
The {adj} {tech} uses {decimal} gigabytes of memory.
Add the {food} to the {food2}, stir {adv}, and cook for {small} minutes.
Mix {small} cups of {food} with the {food2}; don't forget the {food3}.
The patient was treated for {disease} with a {adj} medicine.
{Science} is harder than {science2}, or so the {job} claims.
{Element} melts at a higher temperature than {element2} does.
The atom of {element} has more protons than that of {element2}.
{first} and {first2} {went} from {city} to {city2} in {small} days.
The train from {city} to {city2} was {small} hours late because of the {weather}.
It rained in {city} on {day}, but the {weather} didn't last.
The {sport} team from {city} beat {country} by {small} points.
"{Adv}, my dear {last}," {said} the {job}, "you have {did} the wrong {thing}."
He told me that the {color} {thing} belonged to his {family}.
The {color} and {color2} flag of {country} flew over the {place}.
Nobody {did} the {thing}, so the {job} {adv} {did} it.
There was a {adj} {animal} under the {thing}, wasn't there?
They've been {doing} {thing}s since {year}.
{first} will {do} the {thing} tomorrow, won't she?
The {animal}, which was {adj}, {adv} {did} the {food}.
What a {adj} {thing}! Who {did} it?
The {brand} reported that the {adj} {animal} population has doubled.
The {brand}'s {job} met the {nation} {job2} in {city}.
Although the {place} was {adj}, the {job} {did} {small} {thing}s there.
Not only did the {job} {do} the {thing}, but she also {did} the {thing2}.
The more {adj} the {thing}, the less {adj2} the {place}.
Neither the {job} nor the {job2} could {do} the {adj} {thing}.
{first} used to live in {city}; now he lives near the {place} in {country}.
The {job} used the {thing} to {do} the {thing2}.
You ought to {do} it {adv}, {first}.
Dear {first}, thank you for the {adj} {thing} that you sent in {month}.
The {thing} weighs {decimal} pounds and costs {money}.
Chapter {num} describes the {idea} of the {nation} people.
In the {ordinal} century, {nation} {job}s {adv} {did} the {place}.
The {job} who lives next to the {place} {did} my {family}'s {thing}.
I've got {small} {animal}s, {small2} {thing}s, and a {adj} {family}.
Let's {do} the {thing}, shall we?
Let me tell you about the {adj} {job} of {city}.
As the {weather} came down, the {animal}s {went} toward the {place}.
{Doing} {thing}s is {adj}, but {doing2} them is {adj2}.
The state-of-the-art {tech} was {did} by a well-known {job}.
A {adj}-looking {job} {went} into the {place} with a {color} {thing}.
Her {family}-in-law is a {nation} {job}; he's {adv} {adj}.
Who's the {job} that {did} the {thing}?
The {place} opens at nine o'clock and closes at half past five.
It isn't the {thing} that's {adj}; it's the {thing2}.
Is there any {food} left, or have you eaten it all?
The {job} object{ed} to the {adj} {idea} of the {job2}.
Some say {idea} is {adj}; others, {adj2}.
The {company} Company employs {big} {job}s in {country}.
More than {percent} of {nation} {job}s own a {thing}.
All the {adj} {thing}s (and most of the {thing2}s) were {color}.
To be {adj} or not to be {adj}, that is the question.
{first} {adv} gave {first2} the {thing} that {first3} had {did}.
By the time the {job} arrived, the {animal} had {adv} gone.
You and I both know that the {thing} was never {adj}.
Each {job} must {do} {small} {thing}s an hour.
The {animal} I {did} near the {place} was as {adj} as a {animal2}.
Please read the {thing} that I read yesterday.
He {said} that he'd {do} it by {day}, the {ordinal} of {month}.
The {ordinal} {thing} is more {adj} than the {ordinal2}.
""".strip().splitlines()

HOMOGRAPHS = """
They will present the present to the guest of honor.
The wind was too strong to wind the sail.
She shed a tear when she saw the tear in her dress.
I read the book that you will read tomorrow.
The lead singer stepped over a lead pipe.
He could lead if he would get the lead out.
The dove dove into the bushes.
I did not object to the object on the table.
The insurance was invalid for the invalid.
There was a row among the oarsmen about how to row.
They were too close to the door to close it.
The buck does funny things when the does are present.
A seamstress and a sewer fell down into a sewer line.
The farm was used to produce produce.
The dump was so full that it had to refuse more refuse.
The soldier decided to desert his dessert in the desert.
Upon seeing the tear in the painting I shed a tear.
I had to subject the subject to a series of tests.
How can I intimate this to my most intimate friend?
The bandage was wound around the wound.
We must polish the Polish furniture.
The singer will record a new record this summer.
They conduct themselves well, and their conduct is excellent.
The contract says that the metal will contract in the cold.
We need to increase output, and the increase must be permanent.
The company will import goods, and every import is taxed.
Please permit me to show you my permit.
The rebels rebel every year.
I suspect the suspect is hiding.
The project will project the image on the wall.
He will convert to the faith; the convert is happy.
Do not insult me with that insult.
The progress was slow, but we will progress.
They protest against the war in a peaceful protest.
It is a perfect day to perfect your technique.
An advocate must advocate for the client.
Please separate the eggs and put them in separate bowls.
She will graduate in May; every graduate gets a hat.
They deliberate for hours; it was a deliberate choice.
I estimate that the estimate is wrong.
We live in a house with live music.
He bows to the crowd and ties the bows.
The bass player caught a bass.
A minute is not a minute amount of time.
The content of the letter made him content.
The entrance to the cave will entrance you.
Excuse me, but that is no excuse.
He has no use for it, so he does not use it.
The house can house ten people.
I can't abuse the abuse report.
What is the use of trying to use it?
The close friend stood close to the gate, then closed it.
She is used to the cold, and she used a blanket.
He was used by the men who used to know him.
In those days, we had to come in, sit down, and log in.
Come in! I am in the kitchen. Am I late? Yes, you are.
Give it to me, and give the rest to Ann and to a friend.
I'm going to, but I don't want to.
A is the first letter, and a B is the second.
She got an A in math and a C in art.
Stand by the river; he walked by without a word.
That man said that that book is the one that I want.
He moderates the moderate voices in the debate.
The attribute that we attribute to him is courage.
They frequent the bar; their visits are frequent.
The alternate route will alternate between lanes.
An associate will associate the two ideas.
Articulate speakers articulate every word.
She will appropriate the money that is not appropriate.
I delegate the work to a delegate.
They elaborate on an elaborate plan.
The incense began to incense the crowd.
The console did nothing to console him.
The compound will compound the problem.
A conflict arose because our schedules conflict.
His addict brother was addicted to sugar.
The digest helps you digest the news.
The escort will escort you to the door.
They exploit the exploit.
An extract was taken; now extract the tooth.
The impact will impact the economy.
The permit was refused, so the refuse stayed.
A relapse is when patients relapse.
The survey team will survey the land.
The torment continued to torment him.
Transfer the money with a bank transfer.
The transport will transport the troops.
Upset by the upset, the team left early.
The upgrade will upgrade your phone.
He will address the crowd at this address.
They combat crime in close combat.
The discount does not discount his skill.
Her perfume will perfume the room.
The recall will recall every car.
The research shows that they research a lot.
The reject pile is where we reject things.
She moped about because her moped was broken.
The number of my fingers grew number in the cold.
The resume says that he will resume work.
The pasty man ate a pasty.
""".strip().splitlines()


def pools() -> dict[str, list[str]]:
    entries = (entry.partition(":") for entry in re.split(r"\n(?! )", WORDS.strip()))
    lists = {name: words.split() for name, _, words in entries}
    lists["small"] = ["a hundred" if word == "hundred" else word for word in lists["small"] if word != "a"]
    money = " ".join(lists["money"]).replace(" million", "_million").replace(" billion", "_billion").split()
    lists["money"] = [word.replace("_", " ") for word in money]
    lists["daynum"] = [str(number) for number in range(1, 31)]
    lists["num"] = [str(number) for number in range(1, 40)]
    lists["been"], lists["ed"], lists["The"] = ["been"], ["ed"], ["The", "A", "That", "One", "Every"]
    return lists


def fill(frame: str, lists: dict[str, list[str]], draw: random.Random) -> str:
    """A frame with its slots filled; a capital slot name gives a capital word, a figure behind a name another word."""
    used: set[str] = set()

    def word(match: re.Match[str]) -> str:
        name = match[1]
        base = name.rstrip("0123456789")
        key = base if base in lists else base.lower()
        choice = draw.choice([w for w in lists[key] if w not in used] or lists[key])
        used.add(choice)
        return choice if base in lists else choice[0].upper() + choice[1:]

    text = re.sub(r"\{(\w+)\}", word, frame)
    text = re.sub(r"(?<=[^aeiou\W])ys\b", "ies", text)
    text = re.sub(r"(x|ch|sh|ss)s\b", r"\1es", text)
    return re.sub(r"\b([Aa]) (?=[aeiouAEIO])", r"\1n ", text)


def main() -> None:
    draw, lists = random.Random(20261121), pools()
    sentences = dict.fromkeys(HOMOGRAPHS)
    while len(sentences) < COUNT:
        for frame in FRAMES:
            sentences[fill(frame, lists, draw)] = None
    chosen = list(sentences)[:COUNT]
    Path(sys.argv[1]).write_text("\n".join(chosen) + "\n", encoding="utf-8")
    words = " ".join(chosen).lower().split()
    print(f"{len(chosen)} sentences, {len(words)} words, {len(set(words))} kinds")


if __name__ == "__main__":
    main()
