"""The clauses that report events.

A trigger does not give its event away: most triggers are shared by two to four types ("took", "won", "struck",
"left"), and nearly all stand in clauses without any event too (templates_plain.py). The nature of the arguments
and the rest of the clause tell which it is, as in real language.
"""

from __future__ import annotations

from knowcoder.world.templates import Family, event_family

_ROWS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "attack": (
        (
            "gunmen of {attacker:organization=} [struck] {target:settlement} at dawn",
            "{target:settlement} was [struck] by rockets of {attacker:organization=}",
            "shells of {attacker:organization=} [hit] the roof of {target:structure} in {country:country}",
            "the engine of {target:vehicle} was [hit] by a torpedo near {country:country}",
            "{attacker:organization=} [took] {target:settlement} by force after a siege",
            "the troops of {attacker:human=} [took] {target:structure+} and burned it down",
            "{attacker:organization=} [launched] a raid on {target:settlement} with mortars",
            "a raid on the walls of {target:structure} was [launched] by the fighters of {attacker:human=}",
            "soldiers of {attacker:organization=} [opened] fire on the {target.noun} {target:vehicle?}",
            "at noon the rebels of {attacker:human=} [opened] fire on {target:settlement} in {country:country}",
            "the bombs of {attacker:organization=} [left] {target:settlement} in ruins",
            "the roof of {target:structure} was [left] in flames by the rebels of {attacker:human=}",
            "tanks of {attacker:organization=} [rolled] into {target:settlement} and fired at houses",
            "the army of {attacker:human=} [rolled] over the walls of {target:structure} with cannons",
            "masked fighters of {attacker:organization=} [stormed] the stairs of {target:structure} with rifles",
            "{target:settlement} in {country:country} was [stormed] by the troops of {attacker:human=}",
            "{attacker:organization=} [crushed] the defenders of {target:settlement} with artillery",
            "the guards at the door of {target:structure} were [crushed] by soldiers of {attacker:organization=}",
            "the riders of {attacker:human=} [swept] into {target:settlement} and killed the guards",
            "armed men of {attacker:organization=} [swept] through {target:settlement} in {country:country}",
        ),
        (
            "it was {attacker:organization=} whose rockets [struck] {target:settlement}",
            "[hit] by shells, the walls of {target:structure} fell to the soldiers of {attacker:organization=}",
            "what the rebels of {attacker:human=} [stormed] with rifles were the stairs of {target:structure}",
            "against {target:settlement} the fighters of {attacker:organization=} [launched] a raid with mortars",
        ),
    ),
    "victory": (
        (
            "{winner:football_club} [won] against {loser:football_club} at {venue:stadium}",
            "the derby against {loser:football_club} was [won] by {winner:football_club}",
            "{winner:football_club} [took] all three points from {loser:football_club}",
            "at {venue:stadium} the match was [taken] from {loser:football_club} by {winner:football_club}",
            "{winner:football_club} [beat] {loser:football_club} by two goals",
            "at {venue:stadium}, {winner:football_club} narrowly [beat] {loser:football_club}",
            "{winner:football_club} [swept] {loser:football_club} aside by four goals at {venue:stadium}",
            "{loser:football_club} was [swept] off the pitch by {winner:football_club}",
            "{winner:football_club} [crushed] {loser:football_club} by six goals",
            "{loser:football_club} was [crushed] by {winner:football_club} in the cup match at {venue:stadium}",
            "{winner:football_club} [stormed] past {loser:football_club} in the second half",
            "with three late goals {winner:football_club} [stormed] past {loser:football_club} at {venue:stadium}",
            "{winner:football_club} [struck] twice in extra time to sink {loser:football_club}",
            "two goals down, {loser:football_club} was [struck] out of the cup by {winner:football_club}",
            "{winner:football_club} [rolled] over {loser:football_club} by five goals",
            "at {venue:stadium} the forwards of {winner:football_club} [rolled] over {loser:football_club}",
            "{winner:football_club} [opened] the season with three goals against {loser:football_club}",
            "at {venue:stadium}, {winner:football_club} [opened] the league with a defeat of {loser:football_club}",
            "{winner:football_club} [claimed] the points against {loser:football_club}",
            "the cup match at {venue:stadium} was [claimed] by {winner:football_club} over {loser:football_club}",
        ),
        (
            "it was {winner:football_club} that [beat] {loser:football_club} by two goals",
            "[crushed] by {winner:football_club}, {loser:football_club} went home from {venue:stadium}",
            "what {winner:football_club} [won] at {venue:stadium} was the derby against {loser:football_club}",
            "past {loser:football_club} [stormed] {winner:football_club} in the second half at {venue:stadium}",
        ),
    ),
    "award_giving": (
        (
            "{recipient:human} [won] {award:award} for the sculpture {work:work!}",
            "{award:award} was [won] by {recipient:human} for {work:work=}",
            "{recipient:human} [took] {award:award} for the opera {work:work!}",
            "the jury's medal, {award:award}, was [taken] home by {recipient:human}",
            "{recipient:human} [claimed] {award:award} for {work:work=} in front of the jury",
            "{award:award} was [claimed] by the band {recipient:band!} at {festival:festival}",
            "the sculpture {work:work!} [landed] {recipient:human} the coveted {award:award!}",
            "{recipient:human} [landed] {award:award} from a jury at {festival:festival}",
            "the jury of {festival:festival} [named] {recipient:human} for {award:award}",
            "{recipient:human} was [named] by the jury as this year's holder of {award:award}",
            "{recipient:human} [carried] off {award:award} for {work:work=}",
            "{award:award} was [carried] home by {recipient:human} from {festival:festival}",
            "the academy [presented] {award:award} to {recipient:human} for the opera {work:work!}",
            "{recipient:human} was [presented] with {award:award} at {festival:festival}",
            "the opera {work:work!} [brought] {recipient:human} the coveted {award:award!}",
            "{award:award} was [brought] home by the band {recipient:band!}",
            "at {festival:festival}, {recipient:human} [swept] up {award:award} and kissed the jury",
            "{award:award} was [swept] up by {recipient:human} for {work:work=}",
        ),
        (
            "it was {recipient:human} who [won] {award:award} for {work:work=}",
            "[presented] with {award:award} for {work:work=}, {recipient:human} wept",
            "what {recipient:human} [carried] off from {festival:festival} was {award:award}",
            "for the sculpture {work:work!} the jury [named] {recipient:human} the holder of {award:award}",
        ),
    ),
    "election": (
        (
            "{winner:politician} [won] the vote in {place:country} ahead of {loser:politician}",
            "the vote in {place:settlement} was [won] by {winner:politician}",
            "{winner:politician} [took] the presidency of {place:country} with half of the ballots",
            "the mayor's chain of {place:settlement} was [taken] from {loser:politician} by {winner:politician}",
            "{winner:politician} [claimed] the presidency of {place:country} after the count",
            "most ballots in {place:settlement} were [claimed] by {winner:politician}",
            "the voters of {place:country} [named] {winner:politician} as president",
            "{winner:politician} was [named] mayor of {place:settlement} by the voters",
            "{winner:politician} [beat] {loser:politician} at the polls in {place:country}",
            "after the count {winner:politician} had [beaten] {loser:politician} by a thousand ballots",
            "{winner:politician} [swept] to power in {place:country} with most of the ballots",
            "at the polls in {place:settlement}, {loser:politician} was [swept] from office by {winner:politician}",
            "{winner:politician} [carried] the vote in {place:country} against {loser:politician}",
            "the polls in {place:settlement} were [carried] by {winner:politician}",
            "the voters of {place:settlement} [made] {winner:politician} their mayor",
            "{winner:politician} was [made] president of {place:country} by a large vote",
            "{winner:politician} [crushed] {loser:politician} at the polls",
            "{loser:politician} was [crushed] by {winner:politician} when {place:country} voted",
            "{winner:politician} [left] {loser:politician} far behind at the polls in {place:country}",
            "the voters of {place:settlement} [left] {loser:politician} behind and chose {winner:politician}",
        ),
        (
            "it was {winner:politician} who [won] the vote in {place:country}",
            "[named] president of {place:country} by the voters, {winner:politician} thanked {loser:politician}",
            "what {winner:politician} [took] from {loser:politician} was the presidency of {place:country}",
            "to power in {place:country} [swept] {winner:politician} with most of the ballots",
        ),
    ),
    "product_launch": (
        (
            "{maker:company} [launched] its new {product.noun} {product:product?} in {place:settlement}",
            "{product:product} was [launched] in the shops by {maker:company}",
            "{maker:company} [opened] sales of {product:product} in {place:settlement}",
            "the sale of {product:product} was [opened] by {maker:company} at a low price",
            "{product:product} from {maker:company} [hit] the shops in {place:settlement}",
            "{maker:company} says that {product:product} has [hit] the market at last",
            "{maker:company} [presented] its latest {product.noun} {product:product?} to buyers",
            "{product:product} was [presented] to customers by {maker:company} in {place:settlement}",
            "{maker:company} [released] {product:product} for sale in {place:settlement}",
            "the long awaited {product:product!} was [released] to the market by {maker:company}",
            "{maker:company} [brought] {product:product} onto the market",
            "{product:product} was [brought] to customers in {place:settlement} by {maker:company}",
            "{maker:company} [shipped] the first copies of {product:software} to buyers",
            "{product:product} was [shipped] to the first customers by {maker:company}",
            "{maker:company} [rolled] out its latest {product.noun} {product:product?} in {place:settlement}",
            "{product:product} was [rolled] out to shops by {maker:company}",
            "the first {product.noun} of its kind, {product:product?}, [landed] in the shops of {maker:company}",
            "{product:product} of {maker:company} has [landed] on the market in {place:settlement}",
        ),
        (
            "it was {maker:company} that [launched] {product:product} in the shops",
            "[rolled] out in {place:settlement}, {product:product} of {maker:company} sold well",
            "what {maker:company} [presented] to buyers was {product:product}",
            "onto the market in {place:settlement}, {maker:company} [brought] {product:product}",
        ),
    ),
    "journey": (
        (
            "{traveler:human} [left] {origin:settlement} for {destination:settlement} by train",
            "{origin:settlement} was [left] by {traveler:human} on a mule bound for {destination:settlement}",
            "{traveler:vehicle} [left] for {destination:settlement} with forty passengers",
            "{traveler:human} [struck] out from {origin:settlement} towards {destination:settlement}",
            "on foot {traveler:human} [struck] out for {destination:settlement}",
            "with forty passengers {traveler:vehicle} [launched] from {origin:settlement} "
            "bound for {destination:settlement}",
            "from {origin:settlement}, {traveler:human} [launched] a canoe towards {destination:island+}",
            "{traveler:vehicle} and its crew [landed] in {destination:settlement} two hours "
            "after leaving {origin:settlement}",
            "{traveler:human} [landed] on {destination:island} in a small boat",
            "{traveler:human} [reached] {destination:settlement} on foot from {origin:settlement}",
            "{destination:settlement} was [reached] by {traveler:vehicle} and its crew after a night on the way from "
            "{origin:settlement}",
            "{traveler:vehicle} and its crew [made] for {destination:island+} at full speed",
            "from {origin:settlement}, {traveler:human} [made] for {destination:settlement} on horseback",
            "{traveler:human} [shipped] out from {origin:settlement} to {destination:island+}",
            "as a sailor {traveler:human} [shipped] out to {destination:settlement}",
            "at full speed {traveler:vehicle} [rolled] from {origin:settlement} to "
            "{destination:settlement} without a stop",
            "in an old van {traveler:human} [rolled] towards {destination:settlement}",
            "{traveler:human} [took] the night train from {origin:settlement} to {destination:settlement}",
            "the ferry from {origin:settlement} to {destination:island+} was [taken] by {traveler:human}",
            "{traveler:human} [hit] the road from {origin:settlement} to {destination:settlement}",
            "with two bags {traveler:human} [hit] the road to {destination:settlement}",
        ),
        (
            "it was {traveler:human} who [left] {origin:settlement} for {destination:settlement}",
            "[reached] by {traveler:vehicle} and its crew from {origin:settlement}, {destination:settlement} was dark",
            "what {traveler:human} [took] to {destination:settlement} was the night train from {origin:settlement}",
            "for {destination:settlement}, {traveler:human} [struck] out on foot from {origin:settlement}",
        ),
    ),
}


def event_families() -> dict[str, Family]:
    """One family per event id."""
    return {event: event_family(event, train, held_out) for event, (train, held_out) in _ROWS.items()}
