/*
 * daemon/table.c - cells, columns and lines; see table.h.
 */
#include "daemon/table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/buf.h"

#define GAP 2 /* blanks between two columns */

/* --- cells ---------------------------------------------------------------------- */

/* Characters, for the text is UTF-8. */
static size_t width_of(const char *text, size_t n)
{
	size_t width = 0;

	for (size_t i = 0; i < n; i++)
		width += ((unsigned char)text[i] & 0xc0) != 0x80;
	return width;
}

/* Control characters, those of U+0080 to U+009f among them, could tell a terminal to do things. */
static int add_clean(struct buf *out, const char *text)
{
	int err = *text ? 0 : buf_add_str(out, "-");

	for (const unsigned char *p = (const unsigned char *)text; *p && err == 0; p++) {
		bool is_wide = p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f;

		err =
		    *p < 0x20 || *p == 0x7f || is_wide ? buf_add(out, "?", 1) : buf_add(out, p, 1);
		p += is_wide;
	}
	return err;
}

/* The largest unit of which there is one. */
static int add_age(struct buf *out, json_int_t ms)
{
	static const struct {
		json_int_t ms;
		char unit;
	} units[] = { { 86400000, 'd' }, { 3600000, 'h' }, { 60000, 'm' }, { 1000, 's' } };
	size_t i = 0;

	while (i < 3 && ms < units[i].ms)
		i++;
	return buf_printf(out, "%" JSON_INTEGER_FORMAT "%c", ms / units[i].ms, units[i].unit);
}

static int add_value(struct buf *out, const json_t *value, enum column_kind kind);

/* "websocket:12,xhr:3" */
static int add_members(struct buf *out, json_t *object, enum column_kind kind)
{
	const char *name, *comma = "";
	json_t *value;
	int err = json_object_size(object) ? 0 : buf_add_str(out, "-");

	json_object_foreach (object, name, value) {
		err = err ? err : buf_add_str(out, comma);
		err = err ? err : add_clean(out, name);
		err = err ? err : buf_add_str(out, ":");
		err = err ? err : add_value(out, value, kind);
		comma = ",";
	}
	return err;
}

static int add_value(struct buf *out, const json_t *value, enum column_kind kind)
{
	json_t *item;
	size_t i;
	int err = 0;

	if (json_is_string(value))
		return add_clean(out, json_string_value(value));
	if (json_is_integer(value) && kind == COLUMN_AGE)
		return add_age(out, json_integer_value(value));
	if (json_is_integer(value))
		return buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	if (json_is_boolean(value))
		return buf_add_str(out, json_is_true(value) ? "yes" : "no");
	if (json_is_object(value))
		return add_members(out, (json_t *)value, kind);
	if (json_array_size(value) == 0)
		return buf_add_str(out, "-");
	json_array_foreach (value, i, item) {
		if (err == 0 && i > 0)
			err = buf_add_str(out, ",");
		if (err == 0)
			err = add_value(out, item, kind);
	}
	return err;
}

static const json_t *member_of(const json_t *object, const char *path)
{
	const char *dot = strchr(path, '.');
	char name[64];

	if (!dot)
		return json_object_get(object, path);
	snprintf(name, sizeof(name), "%.*s", (int)(dot - path), path);
	return member_of(json_object_get(object, name), dot + 1);
}

static int set_cell(struct buf *cell, const struct column *c, const json_t *row)
{
	buf_clear(cell);
	return row ? add_value(cell, member_of(row, c->member), c->kind)
	           : buf_add_str(cell, c->title);
}

/* --- lines ---------------------------------------------------------------------- */

static int add_blanks(struct buf *line, size_t n)
{
	int err = 0;

	while (n-- > 0 && err == 0)
		err = buf_add(line, " ", 1);
	return err;
}

static int add_cell(struct buf *line, const struct buf *cell, const struct column *c, size_t width)
{
	size_t has = width_of(buf_data(cell), buf_len(cell)),
	       blanks = width > has ? width - has : 0;
	int err = c->kind != COLUMN_TEXT ? add_blanks(line, blanks) : 0;

	if (err == 0)
		err = buf_add(line, buf_data(cell), buf_len(cell));
	if (err == 0 && c->kind == COLUMN_TEXT)
		err = add_blanks(line, blanks);
	return err;
}

/* 0: it is no terminal, or nobody knows. */
static size_t terminal_width(void)
{
	struct winsize size;

	return isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col
	                                                                             : 0;
}

/* Without the blanks at its end, and no longer than that. */
static void put_line(const struct buf *line, size_t most)
{
	const char *p = buf_data(line);
	size_t n = buf_len(line);

	while (n > 0 && p[n - 1] == ' ')
		n--;
	while (most > 0 && width_of(p, n) > most) {
		n--;
		while (n > 0 && ((unsigned char)p[n] & 0xc0) == 0x80)
			n--;
	}
	fwrite(p, 1, n, stdout);
	putchar('\n');
}

/* NULL: the head. */
static int print_row(const struct table *t, const json_t *row, size_t most)
{
	struct buf line = BUF_INIT, cell = BUF_INIT;
	int err = 0;

	for (size_t i = 0; i < t->count && err == 0; i++) {
		err = set_cell(&cell, &t->columns[i], row);
		if (err == 0 && i > 0)
			err = add_blanks(&line, GAP);
		if (err == 0)
			err = add_cell(&line, &cell, &t->columns[i], t->widths[i]);
	}
	if (err == 0)
		put_line(&line, most);
	buf_fini(&line);
	buf_fini(&cell);
	return err;
}

/* --- all ------------------------------------------------------------------------ */

static int widen(struct table *t, const json_t *row)
{
	struct buf cell = BUF_INIT;
	int err = 0;

	for (size_t i = 0; i < t->count && err == 0; i++) {
		size_t width;

		err = set_cell(&cell, &t->columns[i], row);
		width = err == 0 ? width_of(buf_data(&cell), buf_len(&cell)) : 0;
		if (width > t->widths[i])
			t->widths[i] = width;
	}
	buf_fini(&cell);
	return err;
}

int table_print(struct table *t, const json_t *rows)
{
	size_t i, most = terminal_width();
	json_t *row;
	int err = widen(t, NULL);

	json_array_foreach (rows, i, row)
		if (err == 0)
			err = widen(t, row);
	if (err == 0 && !t->has_head)
		err = print_row(t, NULL, most);
	t->has_head = true;
	json_array_foreach (rows, i, row)
		if (err == 0)
			err = print_row(t, row, most);
	return err;
}

int table_print_one(const struct column *columns, size_t count, const json_t *object)
{
	struct buf cell = BUF_INIT;
	size_t widest = 0;
	int err = 0;

	for (size_t i = 0; i < count; i++)
		if (strlen(columns[i].title) > widest)
			widest = strlen(columns[i].title);
	for (size_t i = 0; i < count && err == 0; i++) {
		err = set_cell(&cell, &columns[i], object);
		if (err == 0)
			printf("%-*s  %.*s\n", (int)widest, columns[i].title, (int)buf_len(&cell),
			    buf_len(&cell) ? buf_data(&cell) : "");
	}
	buf_fini(&cell);
	return err;
}
