/*
 * daemon/table.h - JSON objects as a table for people, or one of them as a list of its members.
 *
 * What stands in it came from a server, and clients chose some of it: nothing in it reaches a
 * terminal but characters that are shown.
 */
#ifndef DAEMON_TABLE_H
#define DAEMON_TABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define TABLE_COLUMNS_MAX 12

enum column_kind {
	COLUMN_TEXT,
	COLUMN_NUMBER, /* to the right */
	COLUMN_AGE,    /* milliseconds, as "12m" */
};

struct column {
	const char *title, *member; /* the member may be one of a member, and so on: "limits.max_sessions" */
	enum column_kind kind;
};

/* Zeroed, but for the columns. It may be printed in several pieces; each column becomes as wide as
 * the first of them, or one that comes later, needs. */
struct table {
	const struct column *columns;
	size_t count;
	size_t widths[TABLE_COLUMNS_MAX];
	bool has_head;
};

/* Rows of an array. On a terminal lines are cut where they would be broken. 0 or -ENOMEM. */
int table_print(struct table *t, const json_t *rows);
/* One object, a line for each column. 0 or -ENOMEM. */
int table_print_one(const struct column *columns, size_t count, const json_t *object);

#endif
