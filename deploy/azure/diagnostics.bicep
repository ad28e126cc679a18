// Logs of one Cosmos DB account that cosmoguard reads. Deploy into the account's resource group:
//   az deployment group create --resource-group GROUP --template-file diagnostics.bicep \
//     --parameters accountName=NAME storageAccountId=/subscriptions/.../storageAccounts/LOGS
targetScope = 'resourceGroup'

@description('Name of the Cosmos DB account.')
param accountName string

@description('API of the account. It decides which category holds its requests.')
@allowed([ 'NoSQL', 'MongoDB', 'Cassandra', 'Gremlin', 'Table' ])
param api string = 'NoSQL'

@description('Storage account for the logs, in the region of a regional account; empty for none.')
param storageAccountId string = ''

@description('Authorization rule (Send, Listen and Manage) of an Event Hubs namespace; empty for none.')
param eventHubAuthorizationRuleId string = ''

@description('Name of the hub in that namespace.')
param eventHubName string = ''

@description('Log runs of queries too: needed to judge injections. Switch "Diagnostics full-text query" on for their values.')
param queries bool = true

@description('Name of the setting.')
param settingName string = 'cosmoguard'

// One category of requests an account: DataPlaneRequests would log those of the other APIs a second time.
var requestCategory = {
  NoSQL: 'DataPlaneRequests'
  MongoDB: 'MongoRequests'
  Cassandra: 'CassandraRequests'
  Gremlin: 'GremlinRequests'
  Table: 'TableApiRequests'
}
var always = [ requestCategory[api], 'ControlPlaneRequests' ]
var categories = queries && api == 'NoSQL' ? concat(always, [ 'QueryRuntimeStatistics' ]) : always

resource account 'Microsoft.DocumentDB/databaseAccounts@2024-05-15' existing = {
  name: accountName
}

resource setting 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: settingName
  scope: account
  properties: {
    storageAccountId: empty(storageAccountId) ? null : storageAccountId
    eventHubAuthorizationRuleId: empty(eventHubAuthorizationRuleId) ? null : eventHubAuthorizationRuleId
    eventHubName: empty(eventHubName) ? null : eventHubName
    logs: [for category in categories: {
      category: category
      enabled: true
    }]
  }
}

output categories array = categories
