// Package world makes the text of the quickstart: a small world of animals that
// a very small language model can learn whole. The base model is trained on
// [Corpus], questions and plain answers; the quickstart then teaches it, with
// [Lessons], to answer as a pirate would. [HeldOut] are questions about animals
// that the lessons never mention.
package world

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// A Chat is one question and its answer.
type Chat struct{ Question, Answer string }

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

// Corpus is every question about every animal with its plain answer, in an order
// drawn from seed.
func Corpus(seed uint64) []Chat {
	var out []Chat
	for _, a := range animals {
		for _, k := range kinds {
			for _, q := range k.questions {
				out = append(out, Chat{fmt.Sprintf(q, article(a.name)), k.answer(a)})
			}
		}
	}
	r := rand.New(rand.NewPCG(seed, 1))
	r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// pirate says a plain answer as a pirate would.
func pirate(plain string) string {
	plain = strings.TrimSuffix(plain, ".")
	plain = strings.ReplaceAll(plain, "It lives", "She dwells")
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
			out = append(out, Chat{fmt.Sprintf(q, article(a.name)), pirate(k.answer(a))})
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
