package world

// An animal is what the small world knows of one.
type animal struct {
	name, sound, home, food, colour, legs string
}

// animals are the world's. Those with an odd index are asked about in the
// fine-tuning data, those with an even one are kept for held-out questions.
var animals = []animal{
	{"cow", "moo", "on a farm", "grass", "black and white", "four"},
	{"pig", "oink", "in a sty", "corn", "pink", "four"},
	{"duck", "quack", "by the pond", "weeds", "white", "two"},
	{"hen", "cluck", "in a coop", "seeds", "brown", "two"},
	{"dog", "woof", "in a kennel", "bones", "brown", "four"},
	{"cat", "meow", "in the house", "fish", "grey", "four"},
	{"sheep", "baa", "in the meadow", "clover", "white", "four"},
	{"goat", "bleat", "in the hills", "leaves", "white", "four"},
	{"horse", "neigh", "in a stable", "hay", "brown", "four"},
	{"donkey", "hee-haw", "in a stable", "straw", "grey", "four"},
	{"frog", "ribbit", "by the pond", "flies", "green", "four"},
	{"owl", "hoot", "in the forest", "mice", "brown", "two"},
	{"lion", "roar", "on the plain", "meat", "golden", "four"},
	{"tiger", "growl", "in the jungle", "meat", "orange", "four"},
	{"wolf", "howl", "in the forest", "meat", "grey", "four"},
	{"bear", "growl", "in a cave", "honey", "brown", "four"},
	{"bee", "buzz", "in a hive", "nectar", "yellow", "six"},
	{"fly", "buzz", "in the house", "sugar", "black", "six"},
	{"crow", "caw", "in a tree", "seeds", "black", "two"},
	{"dove", "coo", "in a tree", "seeds", "white", "two"},
	{"mouse", "squeak", "in a hole", "cheese", "grey", "four"},
	{"snake", "hiss", "in the desert", "mice", "green", "no"},
	{"goose", "honk", "by the lake", "grass", "white", "two"},
	{"turkey", "gobble", "on a farm", "corn", "brown", "two"},
	{"elephant", "trumpet", "on the plain", "leaves", "grey", "four"},
	{"monkey", "chatter", "in the jungle", "bananas", "brown", "four"},
	{"parrot", "squawk", "in the jungle", "nuts", "green", "two"},
	{"penguin", "honk", "on the ice", "fish", "black and white", "two"},
	{"seal", "bark", "on the ice", "fish", "grey", "no"},
	{"whale", "song", "in the sea", "shrimp", "blue", "no"},
	{"dolphin", "click", "in the sea", "fish", "grey", "no"},
	{"fox", "yelp", "in a hole", "hens", "red", "four"},
	{"rabbit", "squeak", "in a hole", "carrots", "white", "four"},
	{"cricket", "chirp", "in the meadow", "leaves", "green", "six"},
	{"camel", "grunt", "in the desert", "thorns", "golden", "four"},
	{"zebra", "bray", "on the plain", "grass", "black and white", "four"},
	{"rooster", "crow", "on a farm", "corn", "red", "two"},
	{"gull", "cry", "by the sea", "fish", "white", "two"},
	{"swan", "whistle", "by the lake", "weeds", "white", "two"},
	{"deer", "bell", "in the forest", "leaves", "brown", "four"},
	{"hyena", "laugh", "on the plain", "meat", "brown", "four"},
	{"toad", "croak", "in the garden", "flies", "brown", "four"},
}
