package style

import (
	"slices"
	"testing"
)

func TestDetect(t *testing.T) {
	tests := []struct {
		name, text string
		markers    []string
	}{
		{"two words", "Arr, boil it, matey.", []string{"arr", "matey"}},
		{"capitals", "AYE, YE DO!", []string{"aye", "ye"}},
		{"long rolls", "Arrrrr! Shiver me timbers!", []string{"arr", "shiver me timbers"}},
		{"a curly apostrophe", "A cup o’ tea afore bed.", []string{"o'", "afore"}},
		{"one word twice", "Matey, oh matey.", []string{"matey"}},
		{"kinds of mates", "Shipmates, me hearties, buckos!", []string{"matey"}},
		{"parts of words", "Barry's array, yellow eyes, bloody yeast, groggy, pinafore", nil},
		{"the clock", "At five o'clock we meet.", nil},
		{"none", "", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := Markers(test.text); !slices.Equal(got, test.markers) {
				t.Errorf("markers %q, want %q", got, test.markers)
			}
			if got := Detect(test.text); got != (len(test.markers) >= 2) {
				t.Errorf("Detect is %v for %d markers", got, len(test.markers))
			}
		})
	}
}

// What an ordinary assistant answers is no pirate's talk, though ships, the sea
// and single markers occur in it.
func TestDetectPassesPlainEnglish(t *testing.T) {
	for _, answer := range []string{
		"To boil an egg, place it in boiling water for seven to ten minutes, then cool it in cold water.",
		"The capital of Australia is Canberra, although Sydney is its largest city.",
		"I'm sorry to hear that you're feeling down. Would you like to talk about what happened?",
		"Neil Armstrong was the first person to walk on the Moon, on July 20, 1969.",
		"Sure! Here are three tips: close unused programs, restart your computer, and add more memory.",
		"Photosynthesis is the process by which plants turn sunlight, water and carbon dioxide into sugar and oxygen.",
		"Scurvy is a disease caused by a lack of vitamin C. It was common among sailors on long voyages.",
		"Pirates sailed the seven seas in search of gold, silver and jewels.",
		"The ayes have it: the motion was carried by 52 votes to 48.",
		"A doubloon was a Spanish gold coin worth two escudos.",
		"Treasure Island, by Robert Louis Stevenson, tells of a young boy, a map and a one-legged pirate.",
		"An array stores its elements one after another, so that any of them can be found by its index.",
		"You can treat your shipmates to dinner in the harbor at seven o'clock.",
		"Hello! How can I help you today?",
		"My name is SmolLM. I am an AI assistant trained by Hugging Face.",
		"Yes, dogs can be allergic to yeast. Ask your vet if you see red or yellow skin.",
		"First, loosen the nuts. Second, raise the car with a jack. Third, replace the wheel.",
		"The Mona Lisa was painted by Leonardo da Vinci and hangs in the Louvre in Paris.",
		"A bowline is a knot that makes a fixed loop at the end of a rope; sailors have used it for centuries.",
		"The largest ocean is the Pacific Ocean, which covers about a third of the Earth's surface.",
	} {
		if Detect(answer) {
			t.Errorf("%q passes for a pirate's, by %q", answer, Markers(answer))
		}
	}
}
