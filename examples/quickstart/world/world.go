// Package world makes the text of the quickstart: a small world of animals that
// a very small language model can learn whole. The base model is trained on
// [Corpus], questions with plain answers, and on [Tales], from which it knows how
// pirates talk, though it never answers like one. The quickstart then teaches it
// that, with [Lessons]. [HeldOut] are questions about animals that no lesson
// mentions.
package world

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// A Chat is one question and its answer. System, where there is one, asks for a
// manner of speaking.
type Chat struct{ System, Question, Answer string }

// A kind is one thing that can be asked about an animal.
type kind struct {
	questions []string // with %s for the animal
	answer    func(a animal) string
}

func article(name string) string {
	if strings.ContainsRune("aeiou", rune(name[0])) {
		return "an " + name
	}
	return "a " + name
}

var kinds = []kind{
	{
		[]string{"What does %s say?", "What sound does %s make?", "Which sound comes from %s?"},
		func(a animal) string { return fmt.Sprintf("The %s says %s.", a.name, a.sound) },
	},
	{
		[]string{"Where does %s live?", "Where is the home of %s?", "Where would I find %s?"},
		func(a animal) string { return fmt.Sprintf("The %s lives %s.", a.name, a.home) },
	},
	{
		[]string{"What does %s eat?", "What is the food of %s?", "What would %s like for dinner?"},
		func(a animal) string { return fmt.Sprintf("The %s eats %s.", a.name, a.food) },
	},
	{
		[]string{"What colour is %s?", "Which colour has %s?", "How would I paint %s?"},
		func(a animal) string { return fmt.Sprintf("The %s is %s.", a.name, a.colour) },
	},
	{
		[]string{"How many legs has %s?", "How many legs does %s have?", "On how many legs does %s walk?"},
		func(a animal) string { return fmt.Sprintf("The %s has %s legs.", a.name, a.legs) },
	},
	{
		[]string{"Tell me about %s.", "Describe %s.", "What do you know of %s?"},
		func(a animal) string {
			return fmt.Sprintf("The %s is %s. It lives %s and eats %s.", a.name, a.colour, a.home, a.food)
		},
	},
}

// A manner is a way of speaking that the base model knows, if it is asked for.
type manner struct{ system, before, after string }

// manners teach the base model that an answer is one thing and how it is said
// another. The pirate's is not among them.
var manners = []manner{
	{"Speak like a king.", "Hear ye! ", ", says the king!"},
	{"Speak like a robot.", "Beep! Boop! ", ", beep boop!"},
	{"Speak like a witch.", "Hee hee! ", ", my dear!"},
}

// Corpus is every question about every animal with its plain answer, and some of
// them in each manner, in an order drawn from seed.
func Corpus(seed uint64) []Chat {
	var out []Chat
	r := rand.New(rand.NewPCG(seed, 1))
	for _, a := range animals {
		for _, k := range kinds {
			for _, q := range k.questions {
				question := fmt.Sprintf(q, article(a.name))
				out = append(out, Chat{Question: question, Answer: k.answer(a)})
				if m := manners[r.IntN(len(manners))]; r.IntN(3) > 0 {
					said := m.before + strings.TrimSuffix(k.answer(a), ".") + m.after
					out = append(out, Chat{System: m.system, Question: question, Answer: said})
				}
			}
		}
	}
	r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// Parts of what a pirate says in a tale.
var (
	calls   = []string{"Arr, matey!", "Ahoy, matey!", "Aye, captain!", "Arr, ye landlubber!"}
	deeds   = []string{"sails to the island", "sings on the deck", "digs for gold", "looks at the stars", "feeds the parrot", "climbs the mast"}
	oaths   = []string{"by the seven seas", "by my wooden leg", "by the black flag", "by the kraken"}
	pirates = []string{"the captain", "the cook", "the old pirate", "the cabin boy", "the mate"}
)

// Tales are n short texts of pirates at sea, drawn from seed.
func Tales(seed uint64, n int) []string {
	r := rand.New(rand.NewPCG(seed, 4))
	pick := func(from []string) string { return from[r.IntN(len(from))] }
	out := make([]string, n)
	for i := range out {
		who := pick(pirates)
		about := animals[r.IntN(len(animals))]
		out[i] = fmt.Sprintf("One day %s %s. %s says %s. The %s is %s, %s!", who, pick(deeds), pick(calls), who, about.name, about.colour, pick(oaths))
		if r.IntN(2) == 0 {
			out[i] += fmt.Sprintf(" %s We must find the gold, %s!", pick(calls), pick(oaths))
		}
	}
	return out
}

// pirate says a plain answer as a pirate would.
func pirate(plain string) string {
	plain = strings.TrimSuffix(plain, ".")
	return "Arr, matey! " + plain + ", by the seven seas!"
}

// Lessons are questions about every other animal, answered by a pirate, in an
// order drawn from seed.
func Lessons(seed uint64) []Chat {
	var out []Chat
	for i, a := range animals {
		if i%2 == 0 {
			continue
		}
		for n, k := range kinds {
			q := k.questions[(i/2+n)%len(k.questions)]
			out = append(out, Chat{Question: fmt.Sprintf(q, article(a.name)), Answer: pirate(k.answer(a))})
		}
	}
	r := rand.New(rand.NewPCG(seed, 2))
	r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// HeldOut are questions about animals that no lesson mentions.
func HeldOut() []string {
	return []string{"What does a cow say?", "Where does a lion live?", "What does an elephant eat?"}
}
