"""Which architecture a server trains next, and how much of L each of its trainings has seen."""

from al_engine.decisions.dealing import share_of_server
from al_engine.pools.models import Campaign, ModelVersion


class Networks:
    """The architectures of one server: that which has seen least of L is next.

    `named`: the only one, else the server's share of the campaign's, which may change.
    """

    def __init__(self, campaign: Campaign, named: str | None, *, index: int, servers: int) -> None:
        self.campaign = campaign
        self._named = named
        self._index = index
        self._servers = servers
        # Changes of L at the last training, by architecture.
        self._seen: dict[str, int] = {}

    @property
    def all(self) -> list[str]:
        """The architectures that this server trains."""
        if self._named:
            return [self._named]
        return share_of_server(
            self.campaign.model_architectures, index=self._index, servers=self._servers
        )

    @property
    def next(self) -> str:
        """The architecture to train next; of equal ones the first."""
        return min(self.all, key=lambda name: self._seen.get(name, 0))

    def news(self, name: str, changes: int) -> int:
        """How many of all `changes` of L came since its last training."""
        return changes - self._seen.get(name, 0)

    def has_seen(self, name: str, changes: int) -> None:
        """Record that a training of this architecture has seen so many changes of L."""
        self._seen[name] = changes

    def take_up(self, server_id: int, *, labels: int, changes: int) -> None:
        """After a restart: architectures whose newest version has seen all labels have no news."""
        mine = ModelVersion.objects.filter(campaign=self.campaign, server_id=server_id)
        for version in mine.order_by("architecture", "-version").distinct("architecture"):
            if version.labels_seen == labels:
                self.has_seen(version.architecture, changes)
