/*
 * tests/wire/text.c - strings of the scenario language.
 *
 * An expression is a row of items written one behind the other:
 *
 *	"with \r \n \t \0 \" \\ \x41 \u20ac and $variables"
 *	'without escapes, but with $variables'
 *	hex"81 85 00000000"
 *	"x" * 4096		the item before it, that many times
 *
 * so that 'a["' "x" * 128 '"]' "\n" reads as it goes over the wire. Memory
 * is scratch, freed as a whole when the next statement begins.
 */
#include "wire/text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct chunk {
	struct chunk *next;
	char bytes[];
};

struct var {
	struct var *next;
	char *name, *value;
};

static struct chunk *chunks;
static struct var *vars;

void (*text_mistake)(const char *what, const char *where) __attribute__((noreturn));

void *scratch(size_t n)
{
	struct chunk *c = malloc(sizeof(*c) + n);

	if (!c)
		abort();
	c->next = chunks;
	chunks = c;
	return c->bytes;
}

void scratch_reset(void)
{
	struct chunk *next;

	for (; chunks; chunks = next) {
		next = chunks->next;
		free(chunks);
	}
}

void text_add(struct text *t, const void *bytes, size_t n)
{
	char *grown;
	size_t cap = 64;

	while (cap < t->n + 1)
		cap *= 2;
	if (!t->p || t->n + n + 1 > cap) {
		while (cap < t->n + n + 1)
			cap *= 2;
		grown = scratch(cap);
		if (t->n)
			memcpy(grown, t->p, t->n);
		t->p = grown;
	}
	if (n)
		memcpy(t->p + t->n, bytes, n);
	t->n += n;
	t->p[t->n] = '\0';
}

static struct var *var_find(const char *name, size_t n)
{
	struct var *v;

	for (v = vars; v; v = v->next)
		if (strlen(v->name) == n && !memcmp(v->name, name, n))
			return v;
	return NULL;
}

void var_set(const char *name, const char *value)
{
	struct var *v = var_find(name, strlen(name));
	char *copy = strdup(value);

	if (!v) {
		v = calloc(1, sizeof(*v));
		if (!v)
			abort();
		v->name = strdup(name);
		v->next = vars;
		vars = v;
	}
	free(v->value);
	v->value = copy;
}

const char *var_get(const char *name)
{
	struct var *v = var_find(name, strlen(name));

	return v ? v->value : NULL;
}

/* At a '$': appends the value, returns what is behind the name. */
static const char *expand_one(struct text *t, const char *p, const char *end)
{
	const char *name = p + 1, *stop;
	struct var *v;
	size_t n = 0;

	if (name < end && *name == '$') {
		text_add(t, "$", 1);
		return name + 1;
	}
	if (name < end && *name == '{') {
		name++;
		stop = memchr(name, '}', (size_t)(end - name));
		n = stop ? (size_t)(stop - name) : 0;
		p = stop ? stop + 1 : end;
	} else {
		while (name + n < end && (isalnum((unsigned char)name[n]) || name[n] == '_'))
			n++;
		p = name + n;
	}
	v = var_find(name, n);
	if (!v)
		text_mistake("no such variable", name);
	text_add(t, v->value, strlen(v->value));
	return p;
}

static void expand_into(struct text *t, const char *p, size_t n)
{
	const char *end = p + n, *dollar;

	while (p < end) {
		dollar = memchr(p, '$', (size_t)(end - p));
		if (!dollar)
			dollar = end;
		text_add(t, p, (size_t)(dollar - p));
		p = dollar < end ? expand_one(t, dollar, end) : end;
	}
}

struct text text_expand(const char *s, size_t n)
{
	struct text t = { 0 };

	text_add(&t, "", 0);
	expand_into(&t, s, n);
	return t;
}

static void add_utf8(struct text *t, unsigned long c)
{
	unsigned char b[3];

	if (c < 0x80) {
		b[0] = (unsigned char)c;
		text_add(t, b, 1);
	} else if (c < 0x800) {
		b[0] = (unsigned char)(0xc0 | c >> 6);
		b[1] = (unsigned char)(0x80 | (c & 63));
		text_add(t, b, 2);
	} else {
		b[0] = (unsigned char)(0xe0 | c >> 12);
		b[1] = (unsigned char)(0x80 | (c >> 6 & 63));
		b[2] = (unsigned char)(0x80 | (c & 63));
		text_add(t, b, 3);
	}
}

/* Behind a backslash: appends what it means, returns what follows. */
static const char *add_escape(struct text *t, const char *p)
{
	static const char from[] = "rnt0\"\\", to[] = "\r\n\t\0\"\\";
	const char *known = *p ? strchr(from, *p) : NULL;
	char digits[5] = { 0 }, byte;
	int n = *p == 'u' ? 4 : 2;

	if (known) {
		text_add(t, to + (known - from), 1);
		return p + 1;
	}
	if (*p != 'x' && *p != 'u')
		text_mistake("unknown escape", p - 1);
	strncpy(digits, p + 1, (size_t)n);
	if (strspn(digits, "0123456789abcdefABCDEF") != (size_t)n)
		text_mistake("hex digits expected", p - 1);
	byte = (char)strtoul(digits, NULL, 16);
	if (*p == 'u')
		add_utf8(t, strtoul(digits, NULL, 16));
	else
		text_add(t, &byte, 1);
	return p + 1 + n;
}

static const char *add_double_quoted(struct text *t, const char *p)
{
	const char *start = p;

	for (p++; *p != '"';) {
		if (!*p)
			text_mistake("no closing quote", start);
		if (*p == '\\') {
			p = add_escape(t, p + 1);
		} else if (*p == '$') {
			p = expand_one(t, p, p + strlen(p));
		} else {
			text_add(t, p++, 1);
		}
	}
	return p + 1;
}

static const char *add_single_quoted(struct text *t, const char *p)
{
	const char *end = strchr(p + 1, '\'');

	if (!end)
		text_mistake("no closing quote", p);
	expand_into(t, p + 1, (size_t)(end - p - 1));
	return end + 1;
}

static const char *add_hex(struct text *t, const char *p)
{
	char digits[3] = { 0 }, byte;

	for (p += 4; *p != '"';) {
		if (isblank((unsigned char)*p)) {
			p++;
			continue;
		}
		if (!isxdigit((unsigned char)p[0]) || !isxdigit((unsigned char)p[1]))
			text_mistake("pairs of hex digits expected", p);
		memcpy(digits, p, 2);
		byte = (char)strtoul(digits, NULL, 16);
		text_add(t, &byte, 1);
		p += 2;
	}
	return p + 1;
}

static const char *blanks(const char *p)
{
	return p + strspn(p, " \t");
}

static const char *add_item(struct text *t, const char *p)
{
	if (*p == '"')
		return add_double_quoted(t, p);
	if (*p == '\'')
		return add_single_quoted(t, p);
	if (!strncmp(p, "hex\"", 4))
		return add_hex(t, p);
	if (*p == '$')
		return expand_one(t, p, p + 1 + strcspn(p + 1, " \t"));
	text_mistake("string expected", p);
}

/* The item and a "* N" behind it. */
static const char *add_repeated(struct text *t, const char *p)
{
	struct text item = { 0 };
	unsigned long n = 1;
	char *end;

	text_add(&item, "", 0);
	p = blanks(add_item(&item, p));
	if (*p == '*') {
		n = strtoul(p + 1, &end, 10);
		p = end;
	}
	while (n--)
		text_add(t, item.p, item.n);
	return p;
}

struct text text_item(const char **p)
{
	struct text t = { 0 };

	text_add(&t, "", 0);
	*p = blanks(add_repeated(&t, blanks(*p)));
	return t;
}

struct text text_expression(const char *p)
{
	struct text t = { 0 };

	text_add(&t, "", 0);
	for (p = blanks(p); *p; p = blanks(p))
		p = add_repeated(&t, p);
	return t;
}

struct text text_word(const char **p)
{
	struct text t = { 0 };
	const char *s = blanks(*p);
	size_t n;

	text_add(&t, "", 0);
	if (*s == '"' || *s == '\'' || !strncmp(s, "hex\"", 4)) {
		s = add_item(&t, s);
	} else {
		n = strcspn(s, " \t");
		expand_into(&t, s, n);
		s += n;
	}
	*p = blanks(s);
	return t;
}

const char *text_show(const void *bytes, size_t n)
{
	enum { HEAD = 160, TAIL = 60 };
	const unsigned char *p = bytes;
	char *out = scratch((HEAD + TAIL) * 4 + 64), *w = out;
	size_t i;

	*w++ = '"';
	for (i = 0; i < n; i++) {
		if (i == HEAD && n > HEAD + TAIL) {
			i = n - TAIL;
			w += sprintf(w, "\" ... (%zu bytes) ... \"", n);
		}
		if (p[i] == '\n' || p[i] == '\r')
			w += sprintf(w, "\\%c", p[i] == '\n' ? 'n' : 'r');
		else if (p[i] == '"' || p[i] == '\\')
			w += sprintf(w, "\\%c", p[i]);
		else if (p[i] < 0x20 || p[i] >= 0x7f)
			w += sprintf(w, "\\x%02x", p[i]);
		else
			*w++ = (char)p[i];
	}
	*w++ = '"';
	*w = '\0';
	return out;
}
