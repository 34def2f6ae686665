"""What one of our own programs asks of its machine, as a stack file says it. Plain data.

Each section that has such programs gives them defaults in a class of its own.
"""

from typing import Self

from pydantic import Field, model_validator

from components.graph import Resources
from stacks.section import Mebibytes, Millicores, Section


class PodResources(Section):
    """What one of our own programs asks of a machine."""

    cpu_request_millicores: Millicores = Field(description="Processor time set aside.")
    memory_request_mebibytes: Mebibytes = Field(description="Memory set aside.")
    memory_limit_mebibytes: Mebibytes = Field(description="Memory at which the container is ended.")

    @model_validator(mode="after")
    def _limit_holds_request(self) -> Self:
        if self.memory_limit_mebibytes < self.memory_request_mebibytes:
            raise ValueError("memoryLimitMebibytes is less than memoryRequestMebibytes")
        return self

    def asked(self) -> Resources:
        """The same for a component."""
        return Resources(
            cpu_request_millicores=self.cpu_request_millicores,
            memory_request_mebibytes=self.memory_request_mebibytes,
            memory_limit_mebibytes=self.memory_limit_mebibytes,
        )
