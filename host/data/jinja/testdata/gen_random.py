"""Prints random templates, one JSON object a line, with what Python's jinja2
renders of them in transformers' environment: the cases of TestAgainstPython.

Run: python testdata/gen_random.py SEED COUNT     (needs transformers 5, jinja2 3.1)
"""

import json
import random
import sys

import gen_cases

WORDS = ["", "a", "b", "abc", "A b", " x ", "é", "Straße", "1", "2.5", "a,b", "<b>", "x\ny", "ΑΣ σ", "😀z", "it's", '"q"']
NAMES = ["a", "d", "l", "g", "t", "s", "n", "f", "m", "tools", "undefined_name"]
VARIABLES = {
    "a": {"b": "c", "x": {"y": [1, 2]}},
    "d": {"k": "v", "n": 1, "Z": None},
    "l": [3, 1, 2],
    "g": "given Text",
    "t": [{"v": 1, "c": "x"}, {"v": 2, "c": "Y"}, {"v": 1}],
    "s": "héllo wörld",
    "n": 7,
    "f": 2.5,
    "m": [[1, "a"], [2, "b"]],
    "tools": [{"name": "w", "args": {"c": "Zürich", "n": 1.0}}],
}


class Generator:
    def __init__(self, seed):
        self.r = random.Random(seed)

    def pick(self, *options):
        return self.r.choice(options)

    def quoted(self):
        return json.dumps(self.r.choice(WORDS), ensure_ascii=False)

    def constant(self):
        return self.pick("0", "1", "-1", "2", "10", "1.5", "0.0", "-2.5", "1e16", "true", "false", "none", "[]", "{}", "()", self.quoted(), self.quoted())

    def args(self, depth, low, high):
        return ", ".join(self.expression(depth) for _ in range(self.r.randint(low, high)))

    def filter(self, depth):
        r = self.r
        name = r.choice(
            "upper lower capitalize title trim length count first last list string join reverse sort unique min max sum abs int float round "
            "replace default d dictsort items map select reject selectattr rejectattr batch slice groupby indent truncate center "
            "tojson safe escape e forceescape wordcount striptags urlencode format filesizeformat xmlattr attr wordwrap".split()
        )
        e = lambda: self.expression(depth)
        given = {
            "join": ["", f"({self.quoted()})", f"(',', attribute='c')", f"({e()})"],
            "replace": [f"({self.quoted()}, {self.quoted()})", f"('a', {e()})", f"('', '-', {e()})"],
            "default": ["", f"({e()})", f"({e()}, true)"],
            "d": [f"({e()})"],
            "round": ["", f"({self.pick('0', '1', '2', '-1')})", f"(1, {self.pick(chr(39) + 'ceil' + chr(39), chr(39) + 'floor' + chr(39))})"],
            "int": ["", f"({e()})", "(0, 16)", "(base=2)"],
            "float": ["", f"({e()})"],
            "sort": ["", "(reverse=true)", "(true, true)", "(attribute='v')", "(attribute='c,v')", "(attribute=0)"],
            "unique": ["|list", "(true)|list", "(attribute='v')|list"],
            "map": [f"('{self.pick('upper', 'string', 'int', 'first', 'length', 'trim')}')|list", "(attribute='v')|list", f"(attribute='c', default={e()})|list", "(attribute=0)|list"],
            "select": ["|list", f"('{self.pick('odd', 'string', 'defined', 'number', 'none')}')|list", f"('{self.pick('gt', 'eq', 'in', '<')}', {e()})|list"],
            "reject": ["|list", "('odd')|list"],
            "selectattr": ["('v')|list", f"('v', 'eq', {e()})|list", "('c', 'defined')|list"],
            "rejectattr": ["('v')|list", "('c', 'string')|list"],
            "batch": [f"({self.pick('1', '2', '3')})|list", f"(2, {e()})|list"],
            "slice": [f"({self.pick('1', '2', '3')})|list", f"(2, {e()})|list"],
            "groupby": ["('v')", "('c', default='q')", "(0)"],
            "indent": ["", f"({self.pick('0', '2')})", f"({self.quoted()}, true)", "(1, blank=true)"],
            "truncate": ["(5)", "(3, true)", f"(4, end='', leeway=0)"],
            "center": ["", "(9)"],
            "tojson": ["", "(indent=2)", "(ensure_ascii=true)", "(sort_keys=true)"],
            "dictsort": ["", "(true)", "(by='value')", "(reverse=true)"],
            "sum": ["", "(attribute='v')", f"(start={e()})"],
            "min": ["", "(attribute='v')"],
            "max": ["", "(true)"],
            "items": ["|list"],
            "reverse": ["|list"],
            "format": [f"({e()})", "()"],
            "attr": ["('b')", "('upper')()"],
            "trim": ["", f"({self.quoted()})"],
            "wordwrap": [f"({self.pick('3', '5', '10')})"],
        }.get(name, [""])
        return f"|{name}{r.choice(given)}"

    def method(self, depth):
        e = lambda: self.expression(depth)
        return self.pick(
            ".upper()", ".lower()", ".title()", ".capitalize()", ".swapcase()", ".strip()", f".strip({self.quoted()})", ".lstrip()", ".rstrip()", ".split()", f".split({self.quoted()})", f".split({self.quoted()}, 1)", ".rsplit(none, 1)",
            f".replace({self.quoted()}, {self.quoted()})", f".startswith({self.quoted()})", f".endswith({self.quoted()})", f".find({self.quoted()})", f".count({e()})", f".index({e()})", ".items()|list", ".keys()|list", ".values()|list", f".get({e()})", f".get({self.quoted()}, {e()})",
            f".join({e()})", ".splitlines()", f".partition({self.quoted()})", ".isdigit()", ".isalpha()", ".islower()", ".istitle()", ".zfill(5)", f".center({self.pick('3', '8')}, '*')", f".format({e()}, {e()})", ".casefold()", ".expandtabs(3)", ".removeprefix('a')", ".copy()", ".x", ".b", ".k", ".v", ".append(1)", ".real", ".is_integer()",
        )

    def test(self, depth):
        return self.pick(
            "defined", "undefined", "none", "string", "mapping", "sequence", "iterable", "number", "integer", "float", "boolean", "true", "false", "odd", "even", "lower", "upper", "callable", "escaped",
            f"divisibleby({self.expression(depth)})", f"in {self.atom(depth)}", f"eq({self.expression(depth)})", f"gt({self.expression(depth)})", f"ne {self.atom(depth)}", "not none", "not string",
        )

    def atom(self, depth):
        kind = self.r.random()
        if depth <= 0 or kind < 0.4:
            return self.pick(self.constant(), self.r.choice(NAMES), self.r.choice(NAMES))
        if kind < 0.6:
            return f"[{self.args(depth - 1, 0, 3)}]"
        if kind < 0.7:
            items = ", ".join(f"{self.pick(self.quoted(), '1', 'n')}: {self.expression(depth - 1)}" for _ in range(self.r.randint(0, 3)))
            return "{" + items + "}"
        if kind < 0.78:
            return f"({self.args(depth - 1, 2, 3)})"
        if kind < 0.82:
            return f"range({self.r.randint(0, 4)})"
        return f"({self.expression(depth - 1)})"

    def expression(self, depth):
        if depth <= 0:
            return self.atom(0)
        kind = self.r.random()
        e = lambda: self.expression(depth - 1)
        if kind < 0.18:
            return self.atom(depth)
        if kind < 0.48:
            return f"({e()}){self.filter(depth - 1)}"
        if kind < 0.64:
            return f"({e()}){self.method(depth - 1)}"
        if kind < 0.74:
            return f"({e()} {self.pick('+', '-', '*', '/', '//', '%', '~', '~', '+')} {e()})"
        if kind < 0.82:
            return f"({e()} {self.pick('==', '!=', '<', '<=', '>', '>=', 'in', 'not in')} {e()})"
        if kind < 0.88:
            return f"({e()} {self.pick('and', 'or')} {e()})"
        if kind < 0.91:
            return f"(not {e()})"
        if kind < 0.95:
            return f"({e()} is {self.test(depth - 1)})"
        if kind < 0.97:
            return f"({e()} if {e()} else {e()})"
        if kind < 0.985:
            return f"({self.r.choice(NAMES)})[{self.pick('0', '-1', '1', e())}]"
        return f"{self.r.choice(NAMES)}[{self.pick('', '1', '-2')}:{self.pick('', '2', '-1')}{self.pick('', '', ':-1', ':2')}]"

    def text(self):
        return self.pick("x", " ", "\n", "\n  ", "  \n", "y\n", "")

    def tag(self, body):
        return "{%" + self.pick("", "", "-", "+") + f" {body} " + self.pick("", "", "-") + "%}"

    def body(self, depth):
        return "".join(self.statement(depth) for _ in range(self.r.randint(1, 3)))

    def target(self):
        return self.pick("p", "q", "g", "n", "l")

    def statement(self, depth):
        kind = self.r.random()
        if depth <= 0 or kind < 0.35:
            return self.pick(self.text(), "{{" + self.pick("", "-") + f" {self.pick('p', 'q', 'g', 'n', self.expression(1))} " + self.pick("", "-") + "}}")
        inner = lambda: self.body(depth - 1)
        if kind < 0.5:
            out = self.tag(f"if {self.expression(1)}") + inner()
            if self.r.random() < 0.3:
                out += self.tag(f"elif {self.expression(1)}") + inner()
            if self.r.random() < 0.5:
                out += self.tag("else") + inner()
            return out + self.tag("endif")
        if kind < 0.68:
            test = f" if {self.pick('p', 'true', 'loop', 'g', 'n')}" if self.r.random() < 0.3 else ""
            out = self.tag(f"for {self.pick('p', 'q', 'i')} in {self.pick('l', 't', 'range(2)', 'm', 'd', self.expression(1))}{test}") + inner()
            out += "{{ " + self.pick("loop.index", "loop.last", "loop.length", "p", "loop.previtem", "loop.nextitem", "loop.changed(p)") + " }}"
            if self.r.random() < 0.2:
                out += self.tag(f"if {self.expression(1)}") + self.tag(self.pick("break", "continue")) + self.tag("endif")
            if self.r.random() < 0.3:
                out += self.tag("else") + inner()
            return out + self.tag("endfor")
        if kind < 0.82:
            return self.tag(f"set {self.target()} = {self.expression(1)}")
        if kind < 0.87:
            return self.tag(f"set {self.target()}{self.pick('', ' | upper', ' | trim')}") + inner() + self.tag("endset")
        if kind < 0.91:
            return self.tag(f"with {self.target()} = {self.expression(1)}") + inner() + self.tag("endwith")
        if kind < 0.95:
            return self.tag(f"macro w({self.pick('', 'p', 'p, q=1', 'q=g')})") + inner() + self.tag("endmacro") + "{{ w(" + self.pick("", "1", "q=2", "l") + ") }}"
        if kind < 0.97:
            return self.tag("filter upper") + inner() + self.tag("endfilter")
        if kind < 0.985:
            return self.tag("generation") + inner() + self.tag("endgeneration")
        return self.tag("raw") + "{{ x }}" + self.tag("endraw")


def main():
    seed, count = int(sys.argv[1]), int(sys.argv[2])
    gen_cases.VARIABLES = VARIABLES
    print(json.dumps({"variables": VARIABLES}))
    for i in range(count):
        g = Generator(seed * 1_000_003 + i)
        source = "{{ " + g.expression(1 + i % 5 // 2) + " }}" if i % 2 else g.body(3)
        print(json.dumps({"template": source, **gen_cases.render(source)}))


if __name__ == "__main__":
    main()
