// The Activity log of one subscription: who listed keys, changed firewalls, switched logs off.
//   az deployment sub create --location westeurope --template-file activity-log.bicep \
//     --parameters storageAccountId=/subscriptions/.../storageAccounts/LOGS
targetScope = 'subscription'

@description('Storage account for the log; empty for none.')
param storageAccountId string = ''

@description('Authorization rule of an Event Hubs namespace; empty for none.')
param eventHubAuthorizationRuleId string = ''

@description('Name of the hub in that namespace.')
param eventHubName string = ''

resource setting 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'cosmoguard'
  properties: {
    storageAccountId: empty(storageAccountId) ? null : storageAccountId
    eventHubAuthorizationRuleId: empty(eventHubAuthorizationRuleId) ? null : eventHubAuthorizationRuleId
    eventHubName: empty(eventHubName) ? null : eventHubName
    logs: [
      {
        category: 'Administrative'
        enabled: true
      }
    ]
  }
}
