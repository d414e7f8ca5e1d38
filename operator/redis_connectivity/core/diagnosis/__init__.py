"""From everything that is known about a path to the first cause of its not working. Pure, as all of the core is."""

from redis_connectivity.core.diagnosis.case import ACCESS_REASONS, Case, Finding
from redis_connectivity.core.diagnosis.catalogue import CATALOGUE
from redis_connectivity.core.diagnosis.chain import find_cause
from redis_connectivity.core.diagnosis.heldback import held_back
from redis_connectivity.core.diagnosis.path import walk
from redis_connectivity.core.diagnosis.tell import tell

__all__ = ["ACCESS_REASONS", "CATALOGUE", "Case", "Finding", "find_cause", "held_back", "tell", "walk"]
