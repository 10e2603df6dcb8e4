/*
 * tests/wire/script.h - scenario files as lists of statements; see script.c.
 */
#ifndef WIRE_SCRIPT_H
#define WIRE_SCRIPT_H

struct statement {
	struct statement *next;
	struct statement *body; /* of repeat and for */
	char *text;             /* without surrounding blanks */
	int line;
};

/* Which server a scenario talks to. Groups with the same text share one. */
enum group_kind { GROUP_SHARED, GROUP_ARGS, GROUP_CONFIG };

struct group {
	struct group *next;
	enum group_kind kind;
	char *text;  /* the arguments, or the JSON text */
	char *where; /* its first use: FILE:LINE */
	void *server;
	int ends; /* a scenario stops it */
};

struct scenario {
	struct scenario *next;
	const char *file;
	char *name;
	int line;
	struct group *group;
	int needs_demo; /* the shared server, with what --demo sets */
	struct statement *first;
};

struct script {
	struct group *groups;
	struct scenario *first, **end;
};

/* Adds the scenarios of a file; exits with status 2 on a syntax error. */
void script_load(struct script *script, const char *file);

#endif
