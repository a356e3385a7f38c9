"""From a finished dialogue to samples: the refinement agent extracts, pure gates decide, nothing is deleted."""
