import ArgumentParser

/// What the root command offers besides running the pipeline.
let administrationCommands: [any ParsableCommand.Type] = [
    InitCommand.self, ConnectCommand.self, TeamCommand.self, ProjectCommand.self, UpstreamCommand.self, KeyCommand.self,
    PriceCommand.self,
    ThresholdCommand.self, ChannelCommand.self, AlertCommand.self, VaultCommand.self, PersonCommand.self,
    DeadLettersCommand.self, BusCommand.self, BackupCommand.self, RestoreCommand.self,
]
