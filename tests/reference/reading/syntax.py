"""Text to trees. `parse_program(text)` gives items, `parse_expression(text)` one expression."""
import re

TOKEN = re.compile(r"""
  (?P<blank>[ \t\r]+|\#[^\n]*) | (?P<newline>\n)
| (?P<number>\d+(?:\.\d+)?(?:[eE][-+]?\d+)?%?) | (?P<name>[A-Za-z_]\w*) | (?P<text>"(?:[^"\\\n]|\\.)*")
| (?P<op>\|>|->|<-|\.\.|\.\*|[<>=!]=|[-+*/@^<>=.,:~()\[\]{}])""", re.X)
CONTINUES = set("+ - * / @ ^ < <= > >= == != .. , : ~ = <- -> |> ( [ {".split()) | {"and", "or", "not", "then", "else", "if", "until"}
RESERVED = {"if", "then", "else", "until", "and", "or", "not", "true", "false"}
KINDS = {"data", "let", "model", "layer", "fn", "penalty", "loss", "schedule", "metric", "optimizer"}


class Refused(Exception):
    """What the language does not take: args[0] says why."""


class Stops(Refused):
    """What only the values show: known ones before anything runs, others as it runs."""


class Node:
    """kind, and the parts that belong to it; `id` tells places of a program apart."""
    __slots__ = ("kind", "parts", "id")
    count = 0

    def __init__(self, kind, *parts):
        Node.count += 1
        self.kind, self.parts, self.id = kind, parts, Node.count

    def __repr__(self):
        return f"{self.kind}{self.parts}"


def tokens(text):
    """(kind, text) with "newline" where a line ends a statement: not inside brackets, after an operator, or before `|>`."""
    found, open_, at = [], [], 0
    while at < len(text):
        m = TOKEN.match(text, at)
        if not m:
            raise Refused(f"character {text[at]!r}")
        at = m.end()
        kind, word = m.lastgroup, m.group()
        if kind == "blank":
            continue
        if kind == "newline":
            if not (open_ and open_[-1] in "([") and found and found[-1][0] != "newline" and found[-1][1] not in CONTINUES:
                found.append(("newline", "\n"))
            continue
        if word == "|>" and found and found[-1][0] == "newline":
            found.pop()
        if word == "}" and found and found[-1][0] != "newline" and found[-1][1] != "{":
            found.append(("newline", "\n"))
        if word in ("(", "[", "{"):
            open_.append(word)
        elif word in (")", "]", "}") and open_:
            open_.pop()
        found.append((kind, word))
    if found and found[-1][0] != "newline":
        found.append(("newline", "\n"))
    return found + [("end", "")]


class Parser:
    def __init__(self, text):
        self.tokens, self.at = tokens(text), 0

    # Tokens

    def sees(self, *words):
        kind, word = self.tokens[self.at]
        return word in words and kind != "text"

    def kind(self, ahead=0):
        return self.tokens[min(self.at + ahead, len(self.tokens) - 1)][0]

    def word(self, ahead=0):
        return self.tokens[min(self.at + ahead, len(self.tokens) - 1)][1]

    def next(self):
        self.at += 1
        return self.tokens[self.at - 1][1]

    def take(self, *words):
        return self.next() if self.sees(*words) else None

    def need(self, *words):
        if not self.sees(*words):
            raise Refused(f"expected {' or '.join(words)}, found {self.word()!r}")
        return self.next()

    def name(self):
        if self.kind() != "name" or self.word() in RESERVED:
            raise Refused(f"expected a name, found {self.word()!r}")
        return self.next()

    # Items

    def program(self):
        items = []
        while self.kind() != "end":
            items.append(self.item())
            self.need("\n")
        return items

    def item(self):
        word = self.next()
        if word in ("let", "data"):
            name = self.name()
            parameters = self.parameters() if self.sees("(") else []
            self.need("=")
            return Node("def", word, name, parameters, None, self.expression(), None)
        if word in KINDS:
            name = self.name()
            parameters = self.parameters() if self.sees("(") else []
            updated = self.name() if word == "optimizer" and self.need("for") else None
            result = self.result() if self.take("->") else None
            if word == "metric":
                self.take("higher", "lower")
            if self.take("is"):  # what it is said to be changes warnings only
                self.name()
            body = self.block() if self.sees("{") else self.need("=") and self.expression()
            return Node("def", word, name, parameters, result, body, updated)
        if word in ("procedure", "recipe"):  # what acts between trainings, and clauses alone, is not read
            name, depth = self.name(), 0
            while depth == 0 or not self.sees("}") or depth > 1:
                depth += {"{": 1, "}": -1}.get(self.next(), 0)
            self.next()
            return Node("skipped", name)
        if word in ("prox", "conjugate", "response"):  # only updates, solutions and predictions have them
            name, depth = self.name(), 0
            while depth or not self.sees("\n"):
                depth += {"{": 1, "}": -1}.get(self.next(), 0)
            return Node("skipped", name)
        if word == "check":
            e = self.expression()
            self.need(":")
            return Node("check", e, self.expression())
        if word == "train":
            name = self.name()
            self.need("on")
            data = self.expression()
            return Node("train", name, data, self.lines(self.clause))
        if word == "evaluate":
            name = self.name()
            self.need("on")
            data = self.expression()
            self.need("{")
            metrics = []
            while not self.take("}"):
                if not self.take(",", "\n"):
                    metrics.append(self.postfix())
            return Node("evaluate", name, data, metrics)
        raise Refused(f"no item starts with {word!r}")

    def one_result(self):
        """The shape; of `labels [n] of c` too, which are whole numbers."""
        return self.list() if self.sees("[") else self.type().parts[0]

    def result(self):
        if not self.take("("):
            return self.one_result()
        found = [self.one_result()]
        while self.take(","):
            found.append(self.one_result())
        self.need(")")
        return Node("tuple", found)

    def lines(self, line):
        self.need("{")
        found = []
        while not self.take("}"):
            if not self.take("\n"):
                found.append(line())
        return found

    def clause(self):
        word = self.next()
        if word == "penalize":
            names, selectors = [], []
            if not self.sees(":"):
                names.append(self.name())
                while self.take(","):
                    names.append(self.name())
                self.need("in")
                selectors.append(self.shift())
                while self.take(","):
                    selectors.append(self.shift())
            self.need(":")
            return Node("penalize", names, selectors, self.expression())
        if word == "stop":  # when training ends is not read
            while not self.sees("\n"):
                self.next()
            return Node("clause", "stop", None)
        return Node("clause", word, self.expression())

    def parameters(self):
        self.need("(")
        found = []
        while not self.take(")"):
            name, type_, default = self.name(), None, None
            if self.take("->"):
                name = (name, self.name())
            if self.take(":"):
                type_ = self.type()
            if self.take("="):
                default = self.expression()
            found.append((name, type_, default))
            if not self.sees(")"):
                self.need(",")
        return found

    def type(self):
        if self.sees("["):
            return self.list()
        word = self.next() if self.kind() == "name" else None
        if word == "labels":
            shape = self.list() if self.sees("[") else None
            classes = self.atom() if self.sees("of") and self.next() else None
            return Node("labels", shape, classes)
        low = high = None
        if not self.sees("..") and (self.kind() == "number" or self.sees("-")):
            low = self.bound()
        if self.take(".."):
            if self.kind() == "number" or self.sees("-"):
                high = self.bound()
        return Node("type", word, low, high)

    def bound(self):
        sign = -1 if self.take("-") else 1
        value = sign * number_of(self.next())
        if self.kind() == "name" and self.word() in ("steps", "epochs"):
            self.next()
        return value

    def block(self):
        return Node("block", self.lines(self.statement))

    def statement(self):
        word, second = self.word(), self.word(1)
        if self.kind() == "name" and self.kind(1) in ("name", "number", "op") and word in ("param", "state", "carry", "apply"):
            if word == "param" and self.kind(1) == "name":
                self.next()
                name = self.name()
                self.need(":")
                shape = self.list()
                if self.take("as"):
                    self.name()  # its role
                how = self.need("~", "=")
                value = self.expression_before_if()
                return Node("param", name, shape, how, value, self.expression() if self.take("if") else None)
            if word in ("state", "carry") and self.kind(1) == "name":
                self.next()
                name, like, shape = self.name(), None, None
                if self.take("["):  # for each row of the training data
                    self.name()
                    self.need("]")
                if self.take(":"):
                    if self.take("like"):
                        like = self.postfix()
                    else:
                        shape = self.list()
                self.need("=")
                return Node(word, name, like, shape, self.expression())
            if word == "apply" and self.kind(1) == "name":
                self.next()
                what = self.postfix()
                self.need("with")
                return Node("apply", what, self.expression())
        if self.local_function():
            name, parameters = self.name(), []
            self.need("(")
            while not self.take(")"):
                parameters.append(self.name())
                self.take(",")
            self.need("=")
            return Node("local", name, parameters, self.expression())
        if self.kind() == "name" and word not in RESERVED and second in ("=", "<-"):
            self.next()
            return Node({"=": "bind", "<-": "assign"}[self.next()], word, self.expression())
        if self.kind() == "name" and word not in RESERVED and second == ",":
            names = [self.name()]
            while self.take(","):
                names.append(self.name())
            self.need("=")
            return Node("unpack", names, self.expression())
        return Node("value", self.expression())

    def local_function(self):
        """Whether `f(z, ...) =` starts here."""
        at = self.at
        if self.kind() != "name" or self.word() in RESERVED or self.word(1) != "(" or self.kind(2) != "name":
            return False
        at += 2
        while self.tokens[at][0] == "name" and self.tokens[at + 1][1] == ",":
            at += 2
        return self.tokens[at][0] == "name" and self.tokens[at + 1][1] == ")" and self.tokens[at + 2][1] == "="

    def names(self, separator=","):
        found = [self.name()]
        while self.take(separator):
            found.append(self.name())
        return found

    def sources(self):
        self.need("in")
        found = [self.pipe()]
        while self.take(","):
            found.append(self.pipe())
        return found

    def loop(self):
        """A loop or an `each` that starts here, else None."""
        word, next_ = self.word(), self.kind(1)
        if self.kind() != "name" or next_ not in ("name", "number", "op") or (next_ == "op" and self.word(1) not in "([-"):
            return None
        if word == "repeat" and next_ != "op":
            self.next()
            turns, index = self.pipe(), None
            if turns.kind == "as":
                turns, index = turns.parts
            elif self.sees("as"):
                self.next()
                index = self.name()
            return Node("repeat", turns, index, self.block())
        if word == "while":
            self.next()
            condition = self.expression()
            self.need(",")
            most = self.need("at", "up") == "at"
            self.need("most" if most else "to")
            return Node("while", condition, self.expression(), most, self.block())
        if word == "for" and next_ == "name":
            self.next()
            names, sources = self.names(), self.sources()
            along = None
            if self.sees("along"):
                self.next()
                along = self.pipe()
            return Node("for", names, sources, along, self.block())
        if word == "each" and next_ == "name":
            self.next()
            names, sources = self.names(), self.sources()
            self.need(":")
            return Node("each", names, sources, self.expression())
        return None

    def expression_before_if(self):
        return self.until()

    # Expressions, loosest first

    def expression(self):
        found = self.loop()
        if found is not None:
            return found
        if self.take("if"):
            c = self.expression()
            self.need("then")
            a = self.expression()
            self.need("else")
            return Node("if", c, a, self.expression())
        return self.until()

    def until(self):
        left = self.arrow()
        if self.take("until"):
            time = self.arrow()
            self.need("then")
            return Node("until", left, time, self.expression())
        return left

    def arrow(self):
        left = self.pipe()
        return Node("arrow", left, self.pipe()) if self.take("->") else left

    def pipe(self):
        left = self.or_()
        while self.take("|>"):
            left = Node("pipe", left, self.postfix())
        return left

    def or_(self):
        left = self.and_()
        while self.take("or"):
            left = Node("binary", "or", left, self.and_())
        return left

    def and_(self):
        left = self.not_()
        while self.take("and"):
            left = Node("binary", "and", left, self.not_())
        return left

    def not_(self):
        return Node("unary", "not", self.not_()) if self.take("not") else self.comparison()

    def comparison(self):
        left = self.range()
        op = self.take("<", "<=", ">", ">=", "==", "!=")
        return Node("binary", op, left, self.range()) if op else left

    def range(self):
        left = self.shift()
        if not self.take(".."):
            return left
        return Node("length", left, self.shift()) if self.take("+") else Node("range", left, self.shift())

    def shift(self):
        left = self.sum()
        while self.sees("at", "except") and self.kind() == "name":
            left = Node(self.next(), left, self.sum())
        return left

    def sum(self):
        left = self.product()
        while op := self.take("+", "-"):
            left = Node("binary", op, left, self.product())
        return left

    def product(self):
        left = self.unary()
        while op := self.take("*", "/", "@"):
            left = Node("binary", op, left, self.unary())
        return left

    def unary(self):
        return Node("unary", "-", self.unary()) if self.take("-") else self.power()

    def power(self):
        left = self.postfix()
        return Node("binary", "^", left, self.exponent()) if self.take("^") else left

    def exponent(self):
        return Node("unary", "-", self.exponent()) if self.take("-") else self.power()

    def postfix(self):
        e = self.atom()
        while True:
            if self.take("."):
                e = Node("field", e, self.next())
            elif self.take(".*"):
                e = Node("field", e, "*")
            elif self.sees("(") and e.kind in ("name", "field", "call"):
                e = Node("call", e, *self.arguments())
            elif self.take("["):
                e = Node("index", e, self.elements())
            elif self.sees("as") and self.kind() == "name" and e.kind in ("name", "field", "call"):
                self.next()
                return Node("as", e, self.name())
            else:
                return e

    def atom(self):
        kind, word = self.tokens[self.at]
        if kind == "number":
            self.next()
            if self.kind() == "name" and self.word() in ("steps", "epochs") and not word.endswith("%"):
                return Node("time", number_of(word), self.next())
            return Node("share" if word.endswith("%") else "number", number_of(word))
        if kind == "text":
            return Node("text", self.next()[1:-1])
        if kind == "name" and word in ("true", "false"):
            return Node("bool", self.next() == "true")
        if kind == "name" and word not in RESERVED:
            return Node("name", self.next())
        if self.sees("("):
            self.next()
            e = self.expression()
            if self.sees(","):
                values = [e]
                while self.take(","):
                    values.append(self.expression())
                self.need(")")
                return Node("tuple", values)
            self.need(")")
            return Node("group", e)
        if self.sees("["):
            return self.list()
        if self.sees("*"):  # a selector that begins with any name
            self.next()
            return Node("star")
        raise Refused(f"unexpected {word!r}")

    def list(self):
        self.need("[")
        return Node("list", self.elements())

    def elements(self):
        """Up to `]`; a range may lack its ends."""
        found = []
        while not self.take("]"):
            if self.take(".."):
                found.append(Node("range", None, None if self.sees(",", "]") else self.shift()))
            elif self.take("<="):
                found.append(Node("unary", "<=", self.shift()))
            elif self.sees("where") and (self.kind(1) in ("name", "number") or self.word(1) in ("[", "(", "-")):
                self.next()
                found.append(Node("where", self.expression()))
            else:
                e = self.open_range()
                found.append(e)
            if not self.sees("]"):
                self.need(",")
        return found

    def open_range(self):
        start = self.at
        e = self.expression() if not self.looks_open() else None
        if e is not None:
            return e
        self.at = start
        left = self.shift()
        self.need("..")
        return Node("range", left, None)

    def looks_open(self):
        """Whether the element at hand is `a..` with nothing behind it."""
        depth, at = 0, self.at
        while True:
            kind, word = self.tokens[at]
            if kind == "end":
                return False
            if kind == "op":
                depth += (word in "([{") - (word in ")]}")
                if depth < 0 or (depth == 0 and word == ","):
                    return self.tokens[at - 1][1] == ".."
            at += 1

    def arguments(self):
        """(positional, named) of a call."""
        self.need("(")
        positional, named = [], {}
        while not self.take(")"):
            if self.kind() == "name" and self.word(1) == ":" and self.kind(1) == "op":
                name = self.next()
                self.need(":")
                if name in named:
                    raise Refused(f"{name} is given twice")
                named[name] = self.expression()
            else:
                if named:
                    raise Refused("an argument by position behind one by name")
                positional.append(self.expression())
            if not self.sees(")"):
                self.need(",")
        return positional, named


def number_of(word):
    return float(word[:-1]) / 100 if word.endswith("%") else float(word)


def parse_program(text):
    return Parser(text).program()


def parse_expression(text):
    parser = Parser(text)
    e = parser.expression()
    parser.need("\n")
    if parser.kind() != "end":
        raise Refused(f"unexpected {parser.word()!r}")
    return e
