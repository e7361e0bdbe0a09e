package style

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"unicode"
)

type message struct{ Role, Content string }

// readChats reads a file of the example.
func readChats(t *testing.T, path string) [][]message {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var chats [][]message
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		var row struct{ Messages []message }
		decoder := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&row); err != nil {
			t.Fatalf("%s:%d: %v", path, len(chats)+1, err)
		}
		chats = append(chats, row.Messages)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return chats
}

// texts are the messages of one role.
func texts(chats [][]message, role string) []string {
	var out []string
	for _, chat := range chats {
		for _, m := range chat {
			if m.Role == role {
				out = append(out, m.Content)
			}
		}
	}
	return out
}

// words are a text's words in small letters.
func words(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '\''
	})
}

// ngrams are the runs of n words in a text; all of it, where it has fewer.
func ngrams(text string, n int) map[string]bool {
	out := map[string]bool{}
	w := words(text)
	for i := 0; i == 0 || i+n <= len(w); i++ {
		out[strings.Join(w[i:min(i+n, len(w))], " ")] = true
	}
	return out
}

// shared is the part of a's runs of n words that b has too.
func shared(a, b string, n int) float64 { return overlap(ngrams(a, n), ngrams(b, n)) }

func overlap(runs, others map[string]bool) float64 {
	both := 0
	for run := range runs {
		if others[run] {
			both++
		}
	}
	return float64(both) / float64(len(runs))
}

func TestChats(t *testing.T) {
	chats := readChats(t, "../chats.jsonl")
	if len(chats) < 190 || len(chats) > 220 {
		t.Errorf("%d chats, want some 200", len(chats))
	}
	total := 0
	for i, chat := range chats {
		if len(chat) == 0 || len(chat) > 6 || len(chat)%2 != 0 {
			t.Errorf("chat %d has %d messages, want 1 to 3 questions with answers", i+1, len(chat))
		}
		for k, m := range chat {
			if want := []string{"user", "assistant"}[k%2]; m.Role != want {
				t.Errorf("chat %d: message %d is the %s's, want the %s's", i+1, k+1, m.Role, want)
			}
			if m.Content != strings.TrimSpace(m.Content) || m.Content == "" {
				t.Errorf("chat %d: message %d is empty, or has space around it", i+1, k+1)
			}
			n := len(words(m.Content))
			total += n
			if m.Role == "assistant" && (n < 9 || n > 45) {
				t.Errorf("chat %d: an answer of %d words: %s", i+1, n, m.Content)
			}
		}
	}
	// SmolLM2's tokenizer makes some 1.5 tokens of a word here, and the chat
	// template adds about 32 a chat.
	if total < 4500 || total > 7500 {
		t.Errorf("%d words in all", total)
	}
}

func TestChatsAreInStyle(t *testing.T) {
	answers := texts(readChats(t, "../chats.jsonl"), "assistant")
	hits := 0
	for _, answer := range answers {
		if Detect(answer) {
			hits++
		} else {
			t.Logf("not detected: %s", answer)
		}
	}
	if float64(hits) < 0.98*float64(len(answers)) {
		t.Errorf("the style is found in %d of %d answers", hits, len(answers))
	}
	for _, question := range texts(readChats(t, "../chats.jsonl"), "user") {
		if Detect(question) {
			t.Errorf("the user talks like a pirate: %s", question)
		}
	}
}

func TestChatsDoNotRepeat(t *testing.T) {
	chats := readChats(t, "../chats.jsonl")
	for _, role := range []string{"user", "assistant"} {
		all := texts(chats, role)
		seen := map[string]bool{}
		runs := make([]map[string]bool, len(all))
		for i, a := range all {
			same := strings.Join(words(a), " ")
			if seen[same] {
				t.Errorf("%q stands twice", a)
			}
			seen[same] = true
			runs[i] = ngrams(a, 5)
			for k, earlier := range runs[:i] {
				if role == "assistant" && overlap(runs[i], earlier) > 0.3 {
					t.Errorf("two answers are nearly the same:\n  %s\n  %s", a, all[k])
				}
			}
		}
	}
}

func TestHeldOutIsUnseen(t *testing.T) {
	chats, held := readChats(t, "../chats.jsonl"), readChats(t, "../held-out.jsonl")
	if len(held) != 10 {
		t.Errorf("%d held-out chats, want 10", len(held))
	}
	for _, chat := range held {
		if len(chat) != 2 || chat[0].Role != "user" || chat[1].Role != "assistant" {
			t.Fatalf("a held-out chat is not a question with its answer: %v", chat)
		}
		if !Detect(chat[1].Content) || Detect(chat[0].Content) {
			t.Errorf("in style where it should not be, or the other way round: %v", chat)
		}
		for _, seen := range texts(chats, "user") {
			if part := shared(chat[0].Content, seen, 3); part >= 0.5 {
				t.Errorf("%q is much like %q, which is trained on", chat[0].Content, seen)
			}
		}
		for _, seen := range texts(chats, "assistant") {
			if part := shared(chat[1].Content, seen, 4); part > 0.15 {
				t.Errorf("the held-out answer\n  %s\nis much like\n  %s", chat[1].Content, seen)
			}
		}
	}
}

// The tests above find what they look for.
func TestShared(t *testing.T) {
	tests := []struct {
		a, b string
		n    int
		want float64
	}{
		{"How do I boil an egg?", "how do i boil an egg", 3, 1},
		{"How do I boil an egg?", "How do I fry an egg?", 3, 0.25},
		{"one two", "one two", 3, 1},
		{"one two", "one two three", 3, 0},
		{"a b c d", "e f g h", 2, 0},
	}
	for _, test := range tests {
		if got := shared(test.a, test.b, test.n); got != test.want {
			t.Errorf("shared(%q, %q, %d) is %v, want %v", test.a, test.b, test.n, got, test.want)
		}
	}
}
