/*
 * broker/broker_presence.h - who is present at destinations: in the parts of those who are, and in
 * that of the owner; for the files of this folder alone.
 *
 *	part of a subscriber (broker_attend.c)		owner's part (broker_presence.c)
 *
 *	first subscription there, heard again	--- report --->	joins	(broker_room.c)
 *	last one ended, silent			--- report --->	leaves
 *	broker_call_roll()	(broker_roll.c)	-- question -->
 *	fn()					<-- answer ----	as it was said last
 *
 * The owner is that of the destination where it is said, so that what is said has one order with
 * what changes it.
 *
 * With peers (brokers of other gateways) a room has the users of all: each broker tells the others what has
 * changed with it (broker_tell.c), and adds what they tell (broker_hear.c, broker_shares.c). So a name has sessions here and
 * stays at peers, and is there as long as it has any.
 */
#ifndef BROKER_BROKER_PRESENCE_H
#define BROKER_BROKER_PRESENCE_H

#include "broker/broker_private.h"
#include "broker/broker_words.h"

/* A destination at which somebody is present, or is looked for. */
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
	/* What peers know of us: broker_tell.c */
	struct list told;   /* users whom they know to be here, oldest first */
	struct list untold; /* those of whom they know something else than is so */
	struct {
		size_t unnamed, anonymous;
	} here, told_counts; /* of what is above, those of this broker; and as they know it */
	uint64_t version;   /* of what they know; 0: nobody is here */
	uint64_t repeat_at; /* when they are told of the last version again; 0: they were */
	struct list recitals; /* that are under way */
	/* What is known of peers: broker_hear.c, broker_shares.c */
	struct list shares;
	struct list waiting; /* questions, until it is known who is at peers */
	uint64_t known_by;   /* when nobody waits for that any more */
	uint64_t kept_until; /* somebody may ask again */
	unsigned watchers;   /* parts in which somebody wants to know */
	bool is_known;       /* what peers had when we asked first; or there are none */
	bool is_joined;      /* what they tell will come */
	bool was_asked;      /* they were, when it came */
	uint64_t hash;       /* of the destination, as digests have it */
	uint16_t name_len;
	char name[]; /* where it is said */
};

struct broker_name {
	struct map_node node; /* part->names */
	struct list of_room;
	struct list changed; /* room->changed, or on its own */
	struct list of_told, untold; /* likewise */
	struct list stays;
	size_t sessions; /* here and at peers */
	uint32_t here, told; /* here; and as peers know it */
	bool is_said; /* others know that it is here */
	uint16_t name_len;
	/* The key, in one piece */
	struct broker_room *room;
	char name[];
};

enum broker_report_kind { BROKER_LEAVES, BROKER_JOINS, BROKER_UNWATCHES, BROKER_WATCHES };

/* What a part tells an owner of one session; or of itself, that somebody there watches. */
struct broker_report {
	struct list node; /* part->reports */
	struct broker *broker;
	uint32_t to; /* part */
	enum broker_report_kind kind;
	uint16_t destination_len, user_len;
	char text[]; /* where it is said; the user, empty if nobody knows who it is */
};

/* Where the presence of a destination is said; in `text`. */
#define PRESENCE_NAME_MAX (BROKER_DESTINATION_MAX + sizeof(BROKER_PRESENCE))
struct bytes broker_presence_name(struct bytes destination, char text[PRESENCE_NAME_MAX]);
static inline bool broker_tells_peers(const struct broker *b)
{
	return b->peers.say != NULL;
}

/* --- broker_room.c: rooms, and names in them -------------------------------------------------- */

void broker_rooms_init(struct broker_part *part);
void broker_rooms_fini(struct broker_part *part);
/* NULL: there is none. */
struct broker_room *broker_presence_room(struct broker_part *part, struct bytes name);
/* NULL: memory is out. It ends when it is at rest, and nobody needs it. */
struct broker_room *broker_room_add(struct broker_part *part, struct bytes name);
void broker_room_free(struct broker_part *part, struct broker_room *room);
/* Whether nobody is there, and nobody wants to know. */
bool broker_room_is_idle(const struct broker_room *room, uint64_t now);
struct bytes broker_room_name(const struct broker_room *room);
/* What its presence is of. */
struct bytes broker_room_destination(const struct broker_room *room);
static inline struct bytes broker_name_text(const struct broker_name *name)
{
	return (struct bytes){ name->name, name->name_len };
}
struct broker_name *broker_room_find(
    const struct broker_part *part, const struct broker_room *room, struct bytes user);
/* NULL: there is no place for it. */
struct broker_name *broker_room_add_name(
    struct broker_part *part, struct broker_room *room, struct bytes user);
/* From now on it has so many sessions in all. It may be gone when this returns. */
void broker_name_change(struct broker_part *part, struct broker_name *name, size_t sessions);
/* It goes, if nobody needs to know of it any more. */
void broker_name_let_go(struct broker_part *part, struct broker_name *name);
/* In the owner's part; the report is the caller's. */
void broker_presence_take(struct broker_part *part, const struct broker_report *report);
/* Who was there before a restart is so again, of which nobody is told. */
void broker_presence_put_back(struct broker_part *part, const struct broker_report *join);

/* --- broker_presence.c: what is said ------------------------------------------------------------ */

void broker_presence_init(struct broker_part *part);
void broker_presence_fini(struct broker_part *part);
/* Something has changed, and is said now or in a while; `joins`: somebody has come, of which is told at once. */
void broker_presence_changed(struct broker_part *part, struct broker_room *room, bool joins);
/* It is looked after in a while. */
void broker_presence_rest(struct broker_part *part, struct broker_room *room);
/* What is known now is what those who ask first get to know. */
void broker_presence_catch_up(struct broker_part *part, struct broker_room *room);
/* In a while this part looks what is to be said, and sends the reports that it owes. */
void broker_presence_tick(struct broker_part *part);
/* The message that says who is there; the part's. NULL when memory is out. `room` NULL: nobody. */
struct broker_message *broker_presence_state(
    struct broker_part *part, struct broker_room *room, struct bytes name);

/* --- broker_attend.c ---------------------------------------------------------------------------- */

void broker_attend_init(struct broker_part *part);
void broker_attend_fini(struct broker_part *part);
/* As broker_attend(), of a member that was there before a restart: nobody is told. */
int broker_attend_again(struct broker_subscription *s);
/* A subscription with `attends` ends. */
void broker_attend_end(struct broker_subscription *s);
void broker_attend_send_reports(struct broker_part *part);
/* Somebody in this part wants to know who is at what this pattern says, or nobody any more. 0 or -ENOMEM. */
int broker_attend_watch(struct broker_part *part, struct bytes pattern, bool begins);

/* --- broker_roll.c ------------------------------------------------------------------------------- */

/* What waits for a room is answered, or (the server has ended) dropped. */
void broker_roll_answer(struct broker_room *room);
void broker_roll_drop(struct broker_room *room);

/* --- broker_tell.c -------------------------------------------------------------------------------- */

void broker_tell_init(struct broker_part *part);
void broker_tell_fini(struct broker_part *part);
/* How many sessions a name has here has changed. */
void broker_tell_note(struct broker_name *name);
bool broker_tell_has_news(const struct broker_room *room);
/* Tells peers what has changed here: as much as one message has room for. */
void broker_tell(struct broker_part *part, struct broker_room *room);
/* Once more, when it is time: nobody knows whether they have heard it. */
void broker_tell_again(struct broker_part *part, struct broker_room *room, uint64_t now);
/* A peer gets all of it, in pages. */
void broker_tell_state(struct broker_part *part, struct bytes destination, uint64_t peer);
/* Goes on with that, as far as this turn goes. */
void broker_tell_recite(struct broker_part *part);
/* A name is about to go from room->told. */
void broker_tell_pass(struct broker_name *name);
void broker_tell_forget(struct broker_part *part, struct broker_room *room);

/* --- broker_hear.c, broker_shares.c ------------------------------------------------------------------------------- */

/* Asks for what is not known, again, when it is time; and when nobody waits any more. */
void broker_shares_look(struct broker_part *part, struct broker_room *room, uint64_t now);
/* Whether that is to be done again. */
bool broker_shares_lack(const struct broker_room *room);
/* Of how many peers it is known who is there, and of how many it is not. */
void broker_shares_count(
    const struct broker_part *part, const struct broker_room *room, size_t *known, size_t *missing);
/* Nothing is said of it: the room goes. */
void broker_shares_forget(struct broker_part *part, struct broker_room *room);

#endif
