-- Makes up what people say in a call, always the same for the same call, so that no transcripts need to be kept here.

CREATE TABLE demo.phrases (
    -- 'any' fits into every call; a lesson is not a call.
    topic text NOT NULL,
    phrase text NOT NULL
);
INSERT INTO demo.phrases (topic, phrase) VALUES
    ('any', 'Can you hear me all right? My connection was bad this morning.'),
    ('any', 'Let me share my screen for a second.'),
    ('any', 'That is a good question, and I don''t have the answer with me.'),
    ('any', 'Yes.'),
    ('any', 'Right, that makes sense.'),
    ('any', 'I agree with that.'),
    ('any', 'Sorry, you go first.'),
    ('any', 'Could you say that once more? You were on mute.'),
    ('any', 'I will write that down as an action item for {person}.'),
    ('any', 'We talked about this on {day}, and I think we still see it the same way.'),
    ('any', '{person} sent me the numbers, and it is about {number} percent more than last quarter.'),
    ('any', 'So if I understand it correctly, the {thing} is done and the rest is waiting for {person}.'),
    ('any', 'Can we come back to that at the end? There are {number} more points on the list.'),
    ('any', 'Okay, so the next point is the {thing}.'),
    ('any', 'I would rather do it properly once than do it quickly and then fix it for {number} weeks.'),
    ('any', 'Let us decide that by {day}, otherwise it stays open for another month.'),
    ('any', 'Hm, I am not sure about that.'),
    ('any', 'Thanks, that helps a lot.'),
    ('any', 'What would have to be true for that to work?'),
    ('any', 'I have to drop off {number} minutes early, there is another call right after this one.'),
    ('sales', 'How many people on your side would use it every day?'),
    ('sales', 'At the moment we have about {number} calls a week, and nobody reads the notes.'),
    ('sales', 'The price is per seat, and from {number} seats on there is a discount.'),
    ('sales', 'Our security team will want to see the {thing} before we sign anything.'),
    ('sales', 'Do you have a customer of our size that we could talk to?'),
    ('sales', 'We looked at two other vendors, and both of them were missing the {thing}.'),
    ('sales', 'I can send you the proposal by {day} and put {person} in copy.'),
    ('sales', 'The budget is there, but it has to be spent before the end of the quarter.'),
    ('sales', 'Who else needs to be in the room when you decide?'),
    ('sales', 'We would start with a pilot of {number} people and look at it again after a month.'),
    ('sales', 'What happens to our data when the contract ends?'),
    ('sales', 'It is hosted in the EU, and you can export all of it at any time.'),
    ('planning', 'Yesterday I finished the {thing}, today I continue with the tests.'),
    ('planning', 'The build was red for {number} hours, and it turned out to be a time zone again.'),
    ('planning', 'I am blocked until {person} has looked at the {thing}.'),
    ('planning', 'That ticket is bigger than we thought, I would split it in {number}.'),
    ('planning', 'We can ship on {day} if nobody finds anything new.'),
    ('planning', 'The migration ran on staging, it took {number} minutes and nobody noticed.'),
    ('planning', 'Did anyone tell support that the {thing} looks different now?'),
    ('planning', 'I would leave the {thing} out of this release.'),
    ('planning', 'There are {number} open reviews, please take one each after the call.'),
    ('planning', 'The customer says that it is slow, and the traces say that it waits for the {thing}.'),
    ('planning', '{person} is on holiday from {day}, so let us plan without.'),
    ('planning', 'Who is on call next week?'),
    ('interview', 'Tell me about the last time that you did that. Where were you, and what was on the screen?'),
    ('interview', 'I usually do it on {day} afternoon, when nobody calls.'),
    ('interview', 'And then I copy it into a spreadsheet, which I know is silly.'),
    ('interview', 'What did you expect to happen when you clicked on it?'),
    ('interview', 'To be honest, I didn''t know that the {thing} was there.'),
    ('interview', 'It takes me {number} minutes, and I do it for every single customer.'),
    ('interview', 'My colleague {person} does it in a completely different way.'),
    ('interview', 'If you could change one thing about it, what would that be?'),
    ('interview', 'I would want to find the place in the recording where they talked about the price.'),
    ('interview', 'And how do you share that with the rest of the team?'),
    ('interview', 'Mostly by e-mail, and then somebody asks me for it again after {number} days.'),
    ('interview', 'That is interesting. Why do you think that is?'),
    ('lesson', 'Welcome back to the channel, today we look at the {thing}.'),
    ('lesson', 'I put the link to the example in the description below the video.'),
    ('lesson', 'If you only remember one thing from this video, let it be this one.'),
    ('lesson', 'You can see on the left that we have {number} rows, and on the right we have one.'),
    ('lesson', 'A lot of people get this wrong the first time, and so did I.'),
    ('lesson', 'So let us run that again and see what changes.'),
    ('lesson', 'Notice that it says {number} here, and not what you would expect.'),
    ('lesson', 'You could do the same thing by hand, but it would take you until {day}.'),
    ('lesson', 'In the comments somebody asked how this works together with the {thing}.'),
    ('lesson', 'Pause the video here and try it yourself.'),
    ('lesson', 'The reason is simple: the second step doesn''t know anything about the first.'),
    ('lesson', 'We will come back to the {thing} in the next episode.'),
    ('lesson', 'This takes about {number} seconds, so I have cut that part out.'),
    ('lesson', 'If it doesn''t work for you, look at the {thing} first.'),
    ('lesson', 'Here is a second example, from a call that we had on {day}.'),
    ('lesson', 'I hear that question a lot, and the short answer is no.'),
    ('lesson', '{person} has shown me a better way to do this.'),
    ('lesson', 'So far we have only talked about the {thing}, and that is the easy half.'),
    ('lesson', 'That is all there is to it.'),
    ('lesson', 'There are {number} ways to do this, and we look at two of them.'),
    ('board', 'The minutes of the last meeting were sent out on {day}. Are there any corrections?'),
    ('board', 'Revenue is {number} percent above plan, costs are on plan.'),
    ('board', 'I would like to see that number without the one large customer.'),
    ('board', 'We have hired {number} people since the last meeting, most of them in support.'),
    ('board', 'The auditors want the {thing} to be documented before year end.'),
    ('board', 'I move that we approve the budget as it was presented.'),
    ('board', 'Seconded. Is anybody against it? Then it is approved.'),
    ('board', 'The largest risk that we see is still the {thing}.'),
    ('board', '{person} has prepared a paper on that, you find it in the folder.'),
    ('board', 'How does that compare to others in the market?'),
    ('board', 'Please keep that in this room until {day}.'),
    ('board', 'Our runway is {number} months, without the new contract.');

-- One of the choices: always the same one for the same seed.
CREATE FUNCTION demo.pick(p_seed text, p_choices text[]) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN p_choices[1 + abs(hashtextextended(p_seed, 0) % cardinality(p_choices))];

-- Letters and digits as vendors make them up for their links.
CREATE FUNCTION demo.token(p_seed text, p_length integer) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN left(translate(encode(sha256(convert_to(p_seed, 'UTF8')), 'base64'), '+/=', ''), p_length);

-- A conversation, sentence by sentence, with seconds from its beginning. About 15 characters are spoken in a second.
CREATE FUNCTION demo.conversation(p_seed text, p_topic text, p_speakers text[], p_minutes integer)
RETURNS TABLE (n bigint, turn bigint, starts_at interval, ends_at interval, speaker text, sentence text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH deck AS (
        -- The phrases like a deck of cards: shuffled, dealt to the last one, then shuffled again. A deal lasts for more
        -- than a minute.
        SELECT
            row_number() OVER (ORDER BY deal, hashtextextended(concat(p_seed, deal, phrase), 0)) AS n,
            phrase
        FROM generate_series(1, p_minutes) AS deal
        CROSS JOIN demo.phrases
        WHERE topic = p_topic OR (topic = 'any' AND p_topic <> 'lesson')
    ),
    spoken AS (
        SELECT
            n,
            replace(replace(replace(replace(
                phrase,
                '{person}', demo.pick(p_seed || n, ARRAY['Priya', 'Jonas', 'Mei', 'Tomás', 'Ingrid', 'Sam'])),
                '{day}', demo.pick(p_seed || n, ARRAY['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday'])),
                '{number}', (2 + abs(hashtextextended(p_seed || n, 0) % 19))::text),
                '{thing}', demo.pick(p_seed || n, ARRAY[
                    'onboarding', 'export', 'search', 'billing page', 'data import', 'access control', 'dashboard',
                    'mobile app', 'backup', 'audit log', 'calendar integration', 'transcript view'
                ])
            ) AS sentence,
            -- After every third sentence or so somebody else has the word.
            (hashtextextended(p_seed || n, 1) % 3 = 0)::integer AS starts_turn
        FROM deck
    ),
    timed AS (
        SELECT
            sentence,
            n,
            sum(starts_turn) OVER (ORDER BY n) AS turn,
            -- A step of at least one: nobody takes over from themselves, unless they are alone.
            sum(starts_turn * (1 + abs(hashtextextended(p_seed || n, 2) % greatest(cardinality(p_speakers) - 1, 1))))
                OVER (ORDER BY n) AS steps,
            sum(length(sentence) / 15.0) OVER (ORDER BY n) AS seconds
        FROM spoken
    )
    SELECT
        n,
        turn,
        make_interval(secs => lag(seconds, 1, 0.0) OVER (ORDER BY n)),
        make_interval(secs => seconds),
        p_speakers[1 + steps % cardinality(p_speakers)],
        sentence
    FROM timed
    WHERE seconds <= p_minutes * 60
    ORDER BY n;
END;

-- The same turn by turn: what somebody says until somebody else has the word.
CREATE FUNCTION demo.turns(p_seed text, p_topic text, p_speakers text[], p_minutes integer)
RETURNS TABLE (starts_at interval, speaker text, says text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT min(starts_at), speaker, string_agg(sentence, ' ' ORDER BY n)
    FROM demo.conversation(p_seed, p_topic, p_speakers, p_minutes)
    GROUP BY turn, speaker
    ORDER BY turn;
END;
