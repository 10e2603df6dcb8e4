/*
 * broker/broker_presence.h - who is present at destinations: in the parts of those who are, and in
 * that of the owner; for the files of this folder alone.
 *
 *	part of a subscriber (broker_attend.c)		owner's part (broker_presence.c)
 *
 *	first subscription there, heard again	--- report --->	joins
 *	last one ended, silent			--- report --->	leaves
 *	broker_call_roll()	(broker_roll.c)	-- question -->
 *	fn()					<-- answer ----	as it was said last
 *
 * The owner is that of the destination where it is said, so that what is said has one order with
 * what changes it.
 */
#ifndef BROKER_BROKER_PRESENCE_H
#define BROKER_BROKER_PRESENCE_H

#include "broker/broker_private.h"

/* A destination at which somebody is present. */
struct broker_room {
	struct map_node node; /* part->rooms */
	struct list
	    restless; /* part->restless, from a change on until nothing has changed for a while */
	uint64_t due; /* when it may be said what has changed */
	struct list users;   /* whom others know, or are about to know */
	struct list changed; /* those who have come or gone since it was said */
	size_t present;      /* of the users: not those who have gone */
	size_t unnamed;      /* sessions of users for whose names there was no room */
	size_t anonymous;    /* sessions */
	struct {
		size_t users, unnamed, anonymous;
	} said;
	struct broker_message *state; /* that says this; NULL: nobody has asked since */
	uint16_t name_len;
	char name[]; /* where it is said */
};

struct broker_name {
	struct map_node node; /* part->names */
	struct list of_room;
	struct list changed; /* room->changed, or on its own */
	size_t sessions;
	bool is_said; /* others know that it is here */
	uint16_t name_len;
	/* The key, in one piece */
	struct broker_room *room;
	char name[];
};

/* What a part tells an owner of one session. */
struct broker_report {
	struct list node; /* part->reports */
	struct broker *broker;
	uint32_t to; /* part */
	bool joins;
	uint16_t destination_len, user_len;
	char text[]; /* where it is said; the user, empty if nobody knows who it is */
};

/* Where the presence of a destination is said; in `text`. */
#define PRESENCE_NAME_MAX (BROKER_DESTINATION_MAX + sizeof(BROKER_PRESENCE))
struct bytes broker_presence_name(struct bytes destination, char text[PRESENCE_NAME_MAX]);

void broker_presence_init(struct broker_part *part);
void broker_presence_fini(struct broker_part *part);
/* In the owner's part; the report is the caller's. */
void broker_presence_take(struct broker_part *part, const struct broker_report *report);
/* In a while this part looks what is to be said, and sends the reports that it owes. */
void broker_presence_tick(struct broker_part *part);
struct broker_room *broker_presence_room(struct broker_part *part, struct bytes name);
/* The message that says who is there; the part's. NULL when memory is out. `room` NULL: nobody. */
struct broker_message *broker_presence_state(
    struct broker_part *part, struct broker_room *room, struct bytes name);

/* broker_attend.c */
void broker_attend_init(struct broker_part *part);
void broker_attend_fini(struct broker_part *part);
/* A subscription with `attends` ends. */
void broker_attend_end(struct broker_subscription *s);
void broker_attend_send_reports(struct broker_part *part);

#endif
